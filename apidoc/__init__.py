"""The documents of the interfaces: OpenAPI of HTTP, AsyncAPI of WebSocket and MQTT, made of the models that validate.

`python -m apidoc` writes them; docs/adr/0019-the-interfaces-are-documented-by-what-validates-them.md says why so.
"""

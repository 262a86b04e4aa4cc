"""Rate limits: rules, shared token buckets, and the admission of requests and points."""

"""The front before the HTTP API: a CloudFront distribution with a web application firewall.

AWS WAF cannot be put before an HTTP API itself. The front adds a secret to every request, and the functions behind the
API refuse requests without it: those that bypassed the front.
"""

import json
from typing import cast

from aws_cdk import ArnFormat, Duration, SecretValue, Stack
from aws_cdk.aws_apigatewayv2 import HttpApi
from aws_cdk.aws_certificatemanager import Certificate
from aws_cdk.aws_cloudfront import (
    AllowedMethods,
    BehaviorOptions,
    CachePolicy,
    Distribution,
    Function,
    FunctionAssociation,
    FunctionCode,
    FunctionEventType,
    FunctionRuntime,
    HttpVersion,
    OriginProtocolPolicy,
    OriginRequestPolicy,
    OriginSslPolicy,
    SecurityPolicyProtocol,
    ViewerProtocolPolicy,
)
from aws_cdk.aws_cloudfront_origins import HttpOrigin
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_secretsmanager import CfnSecret, Secret, SecretStringGenerator
from aws_cdk.aws_wafv2 import CfnLoggingConfiguration, CfnWebACL
from constructs import Construct, IDependable

from afluente.adapters.http.client_address import ADDRESS_HEADER, FRONT_HEADER
from infra.checks import acknowledge
from infra.constructs.log_groups import log_group
from infra.stage import Stage

# Overwrites the header if a client sends it.
ADDRESS_FUNCTION = f"""\
function handler(event) {{
  event.request.headers['{ADDRESS_HEADER}'] = {{ value: event.viewer.ip }};
  return event.request;
}}
"""

_SECRET_CHARACTERS = 64
# As long as the functions themselves may take: more than API Gateway waits.
_READ_TIMEOUT = Duration.seconds(30)
_RATE_WINDOW_SECONDS = 300
_RATE_LIMITED = "RateLimited"

# AWS Managed Rules, by their names; the rules of each that only count, and why.
_MANAGED = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (),
    "AWSManagedRulesCommonRuleSet": (
        # Bodies are points by the thousand, of megabytes.
        "SizeRestrictions_BODY",
        # Metadata of a point may hold the address of a gateway, or any text; nothing reads it but as text.
        "EC2MetaDataSSRF_BODY",
        "GenericRFI_BODY",
        "GenericLFI_BODY",
        "CrossSiteScripting_BODY",
        # Devices say nothing of themselves.
        "NoUserAgent_HEADER",
        # A stream may be called `app.log`, and is part of the path of its constraints.
        "RestrictedExtensions_URIPATH",
    ),
}
_SECRET_HEADERS = ("x-api-key", "authorization", "cookie", FRONT_HEADER)


class FrontSecrets(Construct):
    """Secrets that prove that a request came through the front: the newest, and the one before it.

    CloudFormation names them: a fixed name would stay reserved for weeks after its secret is deleted.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        newest = stage.waf_secret_generation
        self.all = [self._secret(stage, key, generation) for generation in (newest, newest - 1) if generation > 0]

    @property
    def newest(self) -> Secret:
        return self.all[0]

    @property
    def arns(self) -> list[str]:
        return [secret.secret_arn for secret in self.all]

    def _secret(self, stage: Stage, key: IKey | None, generation: int) -> Secret:
        secret = Secret(
            self,
            f"Generation{generation}",
            description=f"afluente {stage.name}: what CloudFront shows to the HTTP API, generation {generation}",
            generate_secret_string=SecretStringGenerator(password_length=_SECRET_CHARACTERS, exclude_punctuation=True),
        )
        if key is not None:
            cast("CfnSecret", secret.node.default_child).kms_key_id = key.key_arn
        acknowledge(
            secret,
            "AwsSolutions-SMG4",
            "CloudFront and the functions have to change together: waf_secret_generation does that, a schedule cannot.",
        )
        return secret


class Front(Construct):
    """The distribution, and its web ACL where the stage names none.

    Args:
        api: the HTTP API behind it.
        secret: that it shows to the API.
        after: functions that have to accept the secret before it is shown.
        key: encrypts the log of the web ACL.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        api: HttpApi,
        secret: Secret,
        after: list[IDependable],
        key: IKey | None,
    ) -> None:
        super().__init__(scope, id_)
        web_acl_arn = stage.waf_web_acl_arn or WebAcl(self, "Firewall", stage=stage, key=key).arn
        certificate = stage.waf_certificate_arn and Certificate.from_certificate_arn(
            self, "Certificate", stage.waf_certificate_arn
        )
        self.distribution = Distribution(
            self,
            "Distribution",
            comment=f"{stage.prefix}: before the HTTP API",
            web_acl_id=web_acl_arn,
            http_version=HttpVersion.HTTP2_AND_3,
            minimum_protocol_version=SecurityPolicyProtocol.TLS_V1_2_2021 if certificate else None,
            domain_names=[stage.waf_hostname] if stage.waf_hostname else None,
            certificate=certificate or None,
            default_behavior=BehaviorOptions(
                origin=self._origin(api, secret),
                allowed_methods=AllowedMethods.ALLOW_ALL,
                viewer_protocol_policy=ViewerProtocolPolicy.HTTPS_ONLY,
                cache_policy=CachePolicy.CACHING_DISABLED,
                # API Gateway finds an API by its own host name.
                origin_request_policy=OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                function_associations=[
                    FunctionAssociation(
                        function=self._address_function(stage), event_type=FunctionEventType.VIEWER_REQUEST
                    )
                ],
            ),
        )
        self.distribution.node.add_dependency(*after)
        self.url = f"https://{stage.waf_hostname or self.distribution.distribution_domain_name}"
        self._acknowledge(stage)

    def _origin(self, api: HttpApi, secret: Secret) -> HttpOrigin:
        stack = Stack.of(self)
        # CloudFormation puts it in when it deploys: neither the template nor the assembly holds it.
        shown = SecretValue.secrets_manager(secret.secret_arn).unsafe_unwrap()
        return HttpOrigin(
            f"{api.api_id}.execute-api.{stack.region}.{stack.url_suffix}",
            protocol_policy=OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[OriginSslPolicy.TLS_V1_2],
            read_timeout=_READ_TIMEOUT,
            custom_headers={FRONT_HEADER: shown},
        )

    def _address_function(self, stage: Stage) -> Function:
        return Function(
            self,
            "ClientAddress",
            function_name=f"{stage.prefix}-client-address",
            runtime=FunctionRuntime.JS_2_0,
            code=FunctionCode.from_inline(ADDRESS_FUNCTION),
        )

    def _acknowledge(self, stage: Stage) -> None:
        acknowledge(
            self.distribution,
            "AwsSolutions-CFR1",
            "Devices are wherever they are: the service is for no country in particular.",
        )
        acknowledge(
            self.distribution,
            "AwsSolutions-CFR3",
            "Each call that comes through is in the access log of the HTTP API, each that is refused in the log of the "
            "web ACL; a log of CloudFront would be a bucket more to secure, with the same in it.",
        )
        if stage.waf_certificate_arn is None:
            acknowledge(
                self.distribution,
                "AwsSolutions-CFR4",
                "The certificate of cloudfront.net allows old versions of TLS; waf_hostname and waf_certificate_arn do "
                "not.",
            )


class WebAcl(Construct):
    """A web ACL that rejects addresses and inputs which AWS knows for bad, and too many requests of one address.

    Rejected requests are logged without headers that may hold a secret.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        acl = CfnWebACL(
            self,
            "WebAcl",
            name=f"{stage.prefix}-http",
            scope="CLOUDFRONT",
            default_action=CfnWebACL.DefaultActionProperty(allow=CfnWebACL.AllowActionProperty()),
            visibility_config=self._visibility("web-acl"),
            custom_response_bodies={
                _RATE_LIMITED: CfnWebACL.CustomResponseBodyProperty(
                    content_type="APPLICATION_JSON", content=json.dumps(self._rate_problem())
                )
            },
            rules=[
                self._rate_rule(),
                *(self._managed(priority, name) for priority, name in enumerate(_MANAGED, start=1)),
            ],
        )
        self.arn = acl.attr_arn
        self._log(acl, key)

    def _rate_rule(self) -> CfnWebACL.RuleProperty:
        refused = CfnWebACL.CustomResponseProperty(
            response_code=429,
            custom_response_body_key=_RATE_LIMITED,
            response_headers=[CfnWebACL.CustomHTTPHeaderProperty(name="retry-after", value=str(_RATE_WINDOW_SECONDS))],
        )
        return CfnWebACL.RuleProperty(
            name="requests-of-an-address",
            priority=0,
            action=CfnWebACL.RuleActionProperty(block=CfnWebACL.BlockActionProperty(custom_response=refused)),
            statement=CfnWebACL.StatementProperty(
                rate_based_statement=CfnWebACL.RateBasedStatementProperty(
                    aggregate_key_type="IP",
                    limit=self._stage.waf_requests_per_ip,
                    evaluation_window_sec=_RATE_WINDOW_SECONDS,
                )
            ),
            visibility_config=self._visibility("requests-of-an-address"),
        )

    def _rate_problem(self) -> dict[str, object]:
        # In the form of the service's own problems; the id of the request is not known here.
        return {
            "type": "urn:afluente:problem:rate_limited",
            "title": "There are too many requests",
            "status": 429,
            "detail": f"this address has made more than {self._stage.waf_requests_per_ip:,} requests in "
            f"{_RATE_WINDOW_SECONDS // 60} minutes; send more points in each request, and retry in some minutes",
            "code": "rate_limited",
        }

    def _managed(self, priority: int, name: str) -> CfnWebACL.RuleProperty:
        counted = [
            CfnWebACL.RuleActionOverrideProperty(
                name=rule, action_to_use=CfnWebACL.RuleActionProperty(count=CfnWebACL.CountActionProperty())
            )
            for rule in _MANAGED[name]
        ]
        return CfnWebACL.RuleProperty(
            name=name,
            priority=priority,
            override_action=CfnWebACL.OverrideActionProperty(none={}),
            statement=CfnWebACL.StatementProperty(
                managed_rule_group_statement=CfnWebACL.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS", name=name, rule_action_overrides=counted or None
                )
            ),
            visibility_config=self._visibility(name),
        )

    def _visibility(self, name: str) -> CfnWebACL.VisibilityConfigProperty:
        return CfnWebACL.VisibilityConfigProperty(
            cloud_watch_metrics_enabled=True,
            metric_name=f"{self._stage.prefix}-{name}",
            # A sample shows every header of a request, the key of its client among them.
            sampled_requests_enabled=False,
        )

    def _log(self, acl: CfnWebACL, key: IKey | None) -> None:
        group = log_group(self, "Log", self._stage, f"aws-waf-logs-{self._stage.prefix}-http", key=key)
        destination = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=group.log_group_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        field = CfnLoggingConfiguration.FieldToMatchProperty
        logging = CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[destination],
            redacted_fields=[
                *(field(single_header={"Name": name}) for name in _SECRET_HEADERS),
                field(query_string={}),
            ],
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [{"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")],
                    }
                ],
            },
        )
        logging.node.add_dependency(group)

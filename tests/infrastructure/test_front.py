"""With `enable_waf`, a CloudFront distribution with a web application firewall stands before the HTTP API."""

import dataclasses
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from infra.constructs.edge import ADDRESS_FUNCTION
from infra.node import node_executable
from infra.presets import PRESETS
from infra.stage import Stage
from tests.infrastructure.deployment import Deployment, Resource, as_list

ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/ours/1234"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1234"
BEHIND = ("http_ingest", "http_admin", "http_authorizer")


def prod_with(**values: Any) -> Stage:
    return dataclasses.replace(PRESETS["prod"](), **values)


@pytest.fixture(scope="module")
def fronted(deployment_of: Callable[..., Deployment]) -> Deployment:
    return deployment_of("prod", enable_waf=True, waf_secret_generation=3)


@pytest.fixture(scope="module")
def distribution(fronted: Deployment) -> Resource:
    [found] = fronted.resources("AWS::CloudFront::Distribution").values()
    return found["DistributionConfig"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def web_acl(fronted: Deployment) -> Resource:
    [found] = fronted.resources("AWS::WAFv2::WebACL").values()
    return found


def test_without_it_there_is_no_front(prod: Deployment) -> None:
    types = {resource["Type"] for resource in prod.service["Resources"].values()}

    assert not any(type_.startswith(("AWS::CloudFront", "AWS::WAF")) for type_ in types)
    assert "FRONT_SECRETS" not in json.dumps(prod.service)


def test_the_distribution_is_behind_the_web_acl_and_before_the_api(fronted: Deployment, distribution: Resource) -> None:
    [acl] = fronted.resources("AWS::WAFv2::WebACL")
    [origin] = distribution["Origins"]

    assert distribution["WebACLId"] == {"Fn::GetAtt": [acl, "Arn"]}
    assert fronted.plain(origin["DomainName"]) == "afluente-prod-http.execute-api.us-east-1.<AWS::URLSuffix>"
    assert "CacheBehaviors" not in distribution


def test_tls_is_all_that_is_spoken_on_both_sides(distribution: Resource) -> None:
    [origin] = distribution["Origins"]

    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_nothing_is_cached_and_everything_but_the_host_is_handed_on(distribution: Resource) -> None:
    behaviour = distribution["DefaultCacheBehavior"]

    # By AWS's ids of its managed policies CachingDisabled and AllViewerExceptHostHeader.
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert {"GET", "PUT", "POST", "DELETE"} <= set(behaviour["AllowedMethods"])


def test_the_front_shows_the_newest_secret_which_no_template_holds(fronted: Deployment, distribution: Resource) -> None:
    [origin] = distribution["Origins"]
    [header] = origin["OriginCustomHeaders"]
    [newest] = (id_ for id_ in fronted.resources("AWS::SecretsManager::Secret") if "Generation3" in id_)

    assert header["HeaderName"] == "x-afluente-front"
    assert header["HeaderValue"] == {
        "Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": newest}, ":SecretString:::}}"]]
    }


@pytest.mark.parametrize("package", BEHIND)
def test_the_functions_behind_it_accept_the_newest_secret_and_the_one_before(fronted: Deployment, package: str) -> None:
    accepted = fronted.function(package)["Environment"]["Variables"]["AFLUENTE_FRONT_SECRETS"]
    secrets = [
        id_ for id_ in fronted.resources("AWS::SecretsManager::Secret") if id_.startswith("FrontSecretsGeneration")
    ]

    assert [id_.removeprefix("FrontSecrets")[:11] for id_ in secrets] == ["Generation3", "Generation2"]
    assert accepted == {"Fn::Join": ["", [{"Ref": secrets[0]}, ",", {"Ref": secrets[1]}]]}
    granted = {
        ref["Ref"]
        for policy in fronted.resources("AWS::IAM::Policy").values()
        if {"Ref": fronted.function(package)["Role"]["Fn::GetAtt"][0]} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
        for ref in as_list(statement["Resource"])
        if ref.get("Ref", "").startswith("FrontSecrets")
    }
    assert granted == set(secrets)


def test_no_other_function_knows_the_secrets(fronted: Deployment) -> None:
    for function in fronted.resources("AWS::Lambda::Function").values():
        knows = "AFLUENTE_FRONT_SECRETS" in function["Environment"]["Variables"]
        assert knows == (function["Handler"].split(".")[0] in BEHIND)


def test_a_new_secret_is_known_to_the_functions_before_it_is_shown(fronted: Deployment) -> None:
    [resource] = (
        one for one in fronted.service["Resources"].values() if one["Type"] == "AWS::CloudFront::Distribution"
    )
    functions = {
        id_
        for id_, function in fronted.resources("AWS::Lambda::Function").items()
        if function["Handler"].split(".")[0] in BEHIND
    }

    assert functions <= set(resource["DependsOn"])


def test_the_guard_of_bad_keys_stays_on_and_its_answers_are_cached_by_key_and_secret(
    fronted: Deployment, prod: Deployment
) -> None:
    [authorizer] = fronted.resources("AWS::ApiGatewayV2::Authorizer").values()
    limits = [one.function("http_authorizer")["Environment"]["Variables"]["AFLUENTE_LIMITS"] for one in (fronted, prod)]

    assert limits[0] == limits[1]
    assert authorizer["IdentitySource"] == ["$request.header.X-API-Key", "$request.header.x-afluente-front"]


def test_the_url_among_the_outputs_is_the_one_of_the_front(fronted: Deployment) -> None:
    [distribution] = fronted.resources("AWS::CloudFront::Distribution")
    url = fronted.service["Outputs"]["HttpApiUrl"]["Value"]

    assert url == {"Fn::Join": ["", ["https://", {"Fn::GetAtt": [distribution, "DomainName"]}]]}


def test_the_web_acl_rejects_floods_and_what_aws_knows_for_bad(web_acl: Resource) -> None:
    rate, *managed = web_acl["Rules"]

    assert web_acl["Scope"] == "CLOUDFRONT"
    assert rate["Statement"] == {
        "RateBasedStatement": {"AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": 30_000}
    }
    assert [rule["Statement"]["ManagedRuleGroupStatement"]["Name"] for rule in managed] == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    ]
    assert all(rule["OverrideAction"] == {"None": {}} for rule in managed)
    assert [rule["Priority"] for rule in web_acl["Rules"]] == [0, 1, 2, 3]


def test_a_client_over_the_limit_gets_the_limit_and_when_to_retry(web_acl: Resource) -> None:
    response = web_acl["Rules"][0]["Action"]["Block"]["CustomResponse"]
    problem = json.loads(web_acl["CustomResponseBodies"][response["CustomResponseBodyKey"]]["Content"])

    assert response["ResponseCode"] == 429
    assert response["ResponseHeaders"] == [{"Name": "retry-after", "Value": "300"}]
    assert problem["status"] == 429
    assert "30,000 requests in 5 minutes" in problem["detail"]


def test_bodies_of_points_and_devices_without_a_name_are_not_rejected(web_acl: Resource) -> None:
    common = web_acl["Rules"][3]["Statement"]["ManagedRuleGroupStatement"]
    counted = {override["Name"] for override in common["RuleActionOverrides"]}

    assert all(override["ActionToUse"] == {"Count": {}} for override in common["RuleActionOverrides"])
    assert counted == {
        "SizeRestrictions_BODY",
        "EC2MetaDataSSRF_BODY",
        "GenericRFI_BODY",
        "GenericLFI_BODY",
        "CrossSiteScripting_BODY",
        "NoUserAgent_HEADER",
        "RestrictedExtensions_URIPATH",
    }


def test_neither_log_nor_sample_of_the_web_acl_shows_a_key(fronted: Deployment, web_acl: Resource) -> None:
    [logging] = fronted.resources("AWS::WAFv2::LoggingConfiguration").values()
    redacted = [field["SingleHeader"]["Name"] for field in logging["RedactedFields"] if "SingleHeader" in field]

    assert {"x-api-key", "authorization", "x-afluente-front"} <= set(redacted)
    assert {"QueryString": {}} in logging["RedactedFields"]
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
    for one in (web_acl, *web_acl["Rules"]):
        assert one["VisibilityConfig"]["SampledRequestsEnabled"] is False
    [destination] = logging["LogDestinationConfigs"]
    assert fronted.plain(destination).endswith(":log-group:aws-waf-logs-afluente-prod-http")


def test_the_distribution_says_the_address_whatever_the_client_says() -> None:
    event = {
        "request": {"headers": {"x-afluente-client-address": {"value": "10.0.0.1"}, "accept": {"value": "*/*"}}},
        "viewer": {"ip": "203.0.113.9"},
    }

    script = f"{ADDRESS_FUNCTION}\nconsole.log(JSON.stringify(handler({json.dumps(event)})));"
    done = subprocess.run([node_executable(), "-e", script], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["headers"] == {
        "x-afluente-client-address": {"value": "203.0.113.9"},
        "accept": {"value": "*/*"},
    }


def test_a_name_of_ones_own_means_tls_1_2_and_a_web_acl_of_ones_own_is_used(
    deployment_of: Callable[..., Deployment],
) -> None:
    ours = deployment_of(
        "dev",
        region="eu-central-1",
        enable_waf=True,
        waf_web_acl_arn=ACL,
        waf_hostname="api.example.org",
        waf_certificate_arn=CERTIFICATE,
    )
    [resource] = ours.resources("AWS::CloudFront::Distribution").values()
    config = resource["DistributionConfig"]

    assert ours.resources("AWS::WAFv2::WebACL") == {}
    assert config["WebACLId"] == ACL
    assert config["Aliases"] == ["api.example.org"]
    assert config["ViewerCertificate"] == {
        "AcmCertificateArn": CERTIFICATE,
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    assert ours.service["Outputs"]["HttpApiUrl"]["Value"] == "https://api.example.org"
    [secret] = (id_ for id_ in ours.resources("AWS::SecretsManager::Secret") if id_.startswith("FrontSecrets"))
    assert secret.startswith("FrontSecretsGeneration1")


def test_a_stage_elsewhere_needs_a_web_acl_that_is_there_already() -> None:
    with pytest.raises(ValueError, match="write its ARN as waf_web_acl_arn"):
        prod_with(region="eu-central-1", enable_waf=True)


def test_a_name_needs_its_certificate() -> None:
    with pytest.raises(ValueError, match="both, or neither"):
        prod_with(waf_hostname="api.example.org")


def test_the_emulator_has_no_front() -> None:
    with pytest.raises(ValueError, match="the emulator has no CloudFront"):
        dataclasses.replace(PRESETS["local"](), enable_waf=True)

"""Reads REST APIs as they stand."""

from __future__ import annotations

from deploy.place import Client
from deploy.standing.reader import Properties, Reader


def _rest_api(client: Client, api: str, _asked: Properties) -> Properties:
    found = client("apigateway").get_rest_api(restApiId=api)
    endpoint = _capitalized(found.get("endpointConfiguration", {}))
    return {"Description": "", **_capitalized(found), "EndpointConfiguration": endpoint}


def _resource(client: Client, resource: str, asked: Properties) -> Properties:
    found = client("apigateway").get_resource(restApiId=asked["RestApiId"], resourceId=resource)
    return {**_capitalized(found), "RestApiId": asked["RestApiId"]}


def _method(client: Client, _id: str, asked: Properties) -> Properties:
    where = {"RestApiId": asked["RestApiId"], "ResourceId": asked["ResourceId"]}
    found = client("apigateway").get_method(
        restApiId=asked["RestApiId"], resourceId=asked["ResourceId"], httpMethod=asked["HttpMethod"]
    )
    method = _capitalized(found)
    integration = found.get("methodIntegration", {})
    method["Integration"] = {**_capitalized(integration), "IntegrationHttpMethod": integration.get("httpMethod")}
    method["Integration"]["IntegrationResponses"] = _responses(integration.get("integrationResponses", {}))
    method["MethodResponses"] = _responses(found.get("methodResponses", {}))
    return {**method, **where}


def _responses(by_status: Properties) -> list[Properties]:
    return [_capitalized(response) for response in by_status.values()]


def _gateway_response(client: Client, _id: str, asked: Properties) -> Properties:
    found = client("apigateway").get_gateway_response(restApiId=asked["RestApiId"], responseType=asked["ResponseType"])
    return {**_capitalized(found), "RestApiId": asked["RestApiId"]}


def _api_deployment(client: Client, deployment: str, asked: Properties) -> Properties:
    found = client("apigateway").get_deployment(restApiId=asked["RestApiId"], deploymentId=deployment)
    return {**_capitalized(found), "RestApiId": asked["RestApiId"]}


def _api_stage(client: Client, name: str, asked: Properties) -> Properties:
    found = client("apigateway").get_stage(restApiId=asked["RestApiId"], stageName=name)
    settings = []
    for path, setting in found.get("methodSettings", {}).items():
        resource, method = path.rsplit("/", 1)
        settings.append({**_capitalized(setting), "ResourcePath": f"/{resource.lstrip('/')}", "HttpMethod": method})
    return {**_capitalized(found), "RestApiId": asked["RestApiId"], "MethodSettings": settings}


def _capitalized(description: Properties) -> Properties:
    """API Gateway speaks camelCase, templates PascalCase."""
    return {name[0].upper() + name[1:]: value for name, value in description.items()}


READERS: dict[str, Reader] = {
    "AWS::ApiGateway::Deployment": _api_deployment,
    "AWS::ApiGateway::GatewayResponse": _gateway_response,
    "AWS::ApiGateway::Method": _method,
    "AWS::ApiGateway::Resource": _resource,
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _api_stage,
}

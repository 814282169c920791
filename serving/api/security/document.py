"""What the OpenAPI document says of security."""

from typing import Any

from serving.api.security.scopes import rule_of

_SCHEME = "bearer"
_DESCRIPTION = "An API key (`riskee keys create`) or a JWT. On loopback of the embedded profile none is asked for."
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
_REFUSALS = {
    "401": "no credential, or one that proves nothing",
    "403": "the credential lacks the scope",
    "429": "too many requests; `Retry-After` says when to ask again",
}


def describe(document: dict[str, Any]) -> None:
    """Add to each operation the scope that it asks for, and what is answered without."""
    schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes[_SCHEME] = {"type": "http", "scheme": "bearer", "description": _DESCRIPTION}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found = rule_of(method.upper(), path)
            if found is None or found.rule.grant is None:
                continue
            operation["security"] = [{_SCHEME: [found.rule.grant.value]}]
            for code, meaning in _REFUSALS.items():
                operation["responses"].setdefault(code, {"description": meaning, "content": _PROBLEM})

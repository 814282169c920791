"""The branch of the tree of settings for traces."""

from pydantic import Field, SecretStr

from riskee.settings.section import Section


class TracingSettings(Section):
    """Traces of ticks, from ingest to the stream, and of requests, by OpenTelemetry."""

    enabled: bool = Field(False, description="whether traces are made and sent")
    endpoint: str = Field(
        "http://127.0.0.1:4318/v1/traces",
        pattern=r"^https?://[^/]+/",
        description="address that takes OTLP over HTTP (protobuf), with its path",
    )
    headers: dict[str, SecretStr] = Field(
        {}, description='JSON of the headers that it asks for, {"Authorization": "Bearer …"}'
    )
    sample_ratio: float = Field(
        0.01, ge=0, le=1, description="share of the ticks and requests that are traced; each in all services or in none"
    )
    service_name: str = Field(
        "riskee",
        pattern=r"^[\w.\-]{1,64}$",
        description="what `service.name` begins with: riskee-predict, riskee-api …",
    )

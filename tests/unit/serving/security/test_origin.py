"""Names and pages that the API is called by and from."""

import pytest

from riskee.access.exposure import is_loopback
from riskee.settings import ApiSettings
from serving.api.security.address import address_of
from serving.api.security.headers import careful, policy_with_scripts_of
from serving.api.security.origin import Origins


def kind(settings: ApiSettings, method: str, *, page: bool = False, **headers: str) -> str:
    found = Origins(settings).refusal(
        method, {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}, page=page
    )
    return "" if found is None else found.kind


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("", False),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8000", False),
        ("localhost:80:80", False),
        ("localhost:evil", False),
    ],
)
def test_on_loopback_only_names_of_this_machine_are_known(host: str, known: bool) -> None:
    assert kind(ApiSettings(), "GET", host=host) == ("" if known else "unknown_host")


def test_names_are_listed_elsewhere() -> None:
    settings = ApiSettings(host="0.0.0.0", allowed_hosts=("api.example",))
    assert kind(settings, "GET", host="api.example:443") == ""
    assert kind(settings, "GET", host="localhost") == "unknown_host"
    assert kind(ApiSettings(host="0.0.0.0"), "GET", host="whatever") == ""


FOREIGN = "foreign_origin"


@pytest.mark.parametrize(
    ("method", "headers", "refused"),
    [
        ("POST", {}, ""),
        ("POST", {"origin": "http://localhost:8000"}, ""),
        ("POST", {"origin": "http://evil.example"}, FOREIGN),
        ("POST", {"origin": "http://localhost:3000"}, FOREIGN),
        ("POST", {"origin": "null"}, FOREIGN),
        ("POST", {"origin": "https://app.example"}, ""),
        ("POST", {"origin": "https://app.example.evil"}, FOREIGN),
        ("DELETE", {"origin": "http://evil.example"}, FOREIGN),
        ("WS", {"origin": "http://evil.example"}, FOREIGN),
        ("WS", {"origin": "http://localhost:8000"}, ""),
        ("WS", {}, ""),
        ("GET", {"origin": "http://evil.example"}, FOREIGN),
        ("GET", {"origin": "https://app.example"}, ""),
        ("OPTIONS", {"origin": "http://evil.example"}, ""),
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, FOREIGN),
        ("GET", {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}, FOREIGN),
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, FOREIGN),
        ("GET", {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, ""),
        ("GET", {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"}, ""),
    ],
)
def test_what_pages_of_other_sites_may_not_do(method: str, headers: dict[str, str], refused: str) -> None:
    settings = ApiSettings(allowed_origins=("https://app.example",))
    assert kind(settings, method, page=False, host="localhost:8000", **headers) == refused


@pytest.mark.parametrize(
    ("page", "destination", "refused"),
    [(True, "document", ""), (True, "iframe", FOREIGN), (True, "image", FOREIGN), (False, "document", FOREIGN)],
)
def test_another_site_may_link_to_pages_and_to_nothing_that_works(page: bool, destination: str, refused: str) -> None:
    headers = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": destination}
    assert kind(ApiSettings(), "GET", page=page, host="localhost:8000", **headers) == refused


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/", "https://*.example", "ftp://a"])
def test_an_allowed_origin_is_one(origin: str) -> None:
    with pytest.raises(ValueError, match="no origin"):
        ApiSettings(allowed_origins=(origin,))


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.example")))


def test_a_network_of_ipv6_is_one_address() -> None:
    first = address_of({"client": ("2001:db8:1:2:aaaa::1", 1)})
    assert first == address_of({"client": ("2001:db8:1:2:bbbb::2", 2)}) == "2001:db8:1:2::/64"
    assert address_of({"client": ("::ffff:10.0.0.1", 1)}) != address_of({"client": ("::ffff:10.0.0.2", 1)})
    assert [address_of({"client": client}) for client in (("10.0.0.1", 5), None)] == ["10.0.0.1", ""]


def test_what_a_proxy_forwarded_as_an_address_and_is_none_counts_as_it_stands() -> None:
    assert [address_of({"client": (host, 1)}) for host in (":x", "a:b")] == [":x", "a:b"]


def test_headers_that_make_browsers_careful() -> None:
    page, data = dict(careful("http", (), page=True)), dict(careful("http", (), page=False))
    assert b"script-src 'self';" in page[b"content-security-policy"]
    assert data[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
    for headers in (page, data):
        assert b"unsafe" not in headers[b"content-security-policy"]
        assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert b"strict-transport-security" not in headers
    assert b"strict-transport-security" in dict(careful("https", (), page=False))
    own = ((b"content-security-policy", b"mine"),)
    assert b"content-security-policy" not in dict(careful("http", own, page=True))
    assert b"content-security-policy" in dict(careful("http", own, page=False))


def test_a_page_with_a_script_within_names_its_digest() -> None:
    policy = policy_with_scripts_of("<script>alert(1)</script><script src='/x.js'></script>")
    assert "script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]

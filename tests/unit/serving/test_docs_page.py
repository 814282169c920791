"""The page that describes the API works on a machine without the internet."""

import re
from importlib import resources

from serving.api.app import _docs


async def test_the_docs_page_loads_nothing_from_elsewhere() -> None:
    page = bytes((await _docs(None)).body).decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 3
    files = {entry.name for entry in resources.files("fastapi_swagger.resources").iterdir()}
    for address in addresses:
        folder, name = address.rsplit("/", 1)
        assert folder == "/swagger"
        assert name in files

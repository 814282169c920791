"""The bare route: Starlette, one Redis read of the same body, and nothing of the product."""

import sys

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from riskee.settings import load_settings
from riskee.storage.keys import BODY, PREDICTION


def bare_app(redis: Redis) -> Starlette:
    """Answers with what the cache has, whatever it says."""

    async def latest(request: Request) -> Response:
        body = await redis.hget(PREDICTION.of(ticker=request.path_params["ticker"]), BODY)
        return Response(body, media_type="application/json", status_code=404 if body is None else 200)

    return Starlette(routes=[Route("/v1/predict/{ticker}", latest)])


def main() -> None:
    """Serve on the port that is given until SIGTERM, as the API does."""
    app = bare_app(Redis.from_url(load_settings().redis.url.get_secret_value()))
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_config=None)


if __name__ == "__main__":
    main()

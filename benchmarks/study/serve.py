"""Run the server of a study until it is stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import uvicorn

from benchmarks.study.folder import Study
from benchmarks.study.server import StudyServer
from benchmarks.study.web import listening

MOST_CONNECTIONS = 2000


def serve(
    study: Study,
    *,
    host: str,
    port: int,
    stall_minutes: float,
    frame_ancestors: str,
    trust_proxy: str | None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve ``study`` at ``host``:``port`` (0: any free one) until SIGINT or SIGTERM.

    ``trust_proxy``: addresses of proxies whose X-Forwarded-For names the rater's address. Raises
    UserError where the address cannot be had.
    """
    app = StudyServer(study, stall_minutes).app(frame_ancestors)
    config = uvicorn.Config(
        app,
        # Neither ids in links nor addresses are logged.
        access_log=False, log_level="warning", server_header=False,
        limit_concurrency=MOST_CONNECTIONS, timeout_keep_alive=65, timeout_graceful_shutdown=10,
        proxy_headers=bool(trust_proxy), forwarded_allow_ips=trust_proxy,
    )  # fmt: skip
    with listening(host, port, "--host or --port") as listener:
        shown = f"[{host}]" if ":" in host else host
        site = f"http://{shown}:{listener.getsockname()[1]}"
        say(f"raters:   {site}/?rater=NAME")
        say(f"overview: {site}/overview#{study.overview_token()}")
        say(f"Unanswered questions are handed on after {stall_minutes:g} minutes. Ctrl-C stops.")
        with contextlib.suppress(KeyboardInterrupt):  # raised anew after an orderly stop
            uvicorn.Server(config).run(sockets=[listener])

"""The options of `rtfilter serve`."""

from __future__ import annotations

from rtfilter.cli.file_options import seconds
from rtfilter.cli.options import control_options, lane_options
from rtfilter.cli.parser import Parser, count, number, one_of, port

VIDEO_CODECS = ("vp8", "h264")
LOG_FORMATS = ("text", "json")


def serve_options(parser: Parser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1: this machine"
    )
    parser.add_argument("--port", default=8080, type=port, metavar="N", help="default 8080; 0: a free one")
    parser.add_argument("--open", action="store_true", help="open the link in the browser")
    parser.add_argument("--quiet", action="store_true", help="no link, and only warnings")
    parser.add_argument(
        "--duration", metavar="S", type=seconds(0.01), help="stop after so many seconds, or MM:SS"
    )
    _security_options(parser)
    group = parser.add_argument_group("media")
    group.add_argument(
        "--video-codec",
        default="vp8",
        type=one_of("video codec", VIDEO_CODECS),
        help="which one is preferred: vp8 (default) or h264",
    )
    group.add_argument(
        "--bitrate",
        default=2500.0,
        type=number(100, 50_000),
        metavar="KBIT",
        help="of the sent picture at most, in kbit/s (default 2500)",
    )
    group.add_argument("--sessions", default=16, type=count, metavar="N", help="at most (default 16)")
    group.add_argument(
        "--sessions-per-address", default=8, type=count, metavar="N", help="at most (default 8)"
    )
    control_options(parser)
    lane_options(parser)
    more = parser.add_argument_group("more")
    more.add_argument(
        "--log-format",
        default="text",
        type=one_of("log format", LOG_FORMATS),
        help="text (default) or json, one object a line",
    )


def _security_options(parser: Parser) -> None:
    group = parser.add_argument_group("who may connect")
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="keep the token there, so that the link stays the same; made when there is none",
    )
    group.add_argument(
        "--token", metavar="TEXT", help="the token itself; others can see it in the list of processes"
    )
    group.add_argument("--tls", action="store_true", help="HTTPS, with a certificate made at the start")
    group.add_argument("--certificate", metavar="FILE.pem", help="HTTPS with your own certificate")
    group.add_argument("--key", metavar="FILE.pem", help="the certificate's key")
    group.add_argument(
        "--allow-host", action="append", metavar="NAME[:PORT]", help="a further name of this server"
    )
    group.add_argument(
        "--allow-origin",
        action="append",
        metavar="https://NAME",
        help="a further page that may use this server",
    )
    group.add_argument(
        "--ice-network",
        action="append",
        metavar="192.0.2.0/24",
        help="a network that media may be exchanged with; `any` for all",
    )

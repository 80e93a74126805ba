"""The console command `zoo`: one file a command, each with `HELP`, `add(parser)`, `run(arguments)`.

The files import at their top only what takes no backend, the rest inside their functions.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from zoo.cli import cache, export, finetune, info, predict, probe, publish
from zoo.cli import list as list_  # the module; the builtin is not used in this file
from zoo.cli.quiet import quiet
from zoo.errors import ZooError

COMMANDS = {
    "list": list_,
    "info": info,
    "predict": predict,
    "finetune": finetune,
    "export": export,
    "probe": probe,
    "publish": publish,
    "cache": cache,
}

EPILOG = """examples:
  zoo list "*.cifar10"
  zoo info maxnorm_plainnet50
  zoo predict maxnorm_plainnet50.cifar10 cat.jpg dog.jpg --top 3
  zoo finetune seqnet18 photos/
  zoo export seqnet18 --format openvino --precision int8 --calibrate photos/
  zoo probe plainnet44 --init he
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after `zoo`; None for those of this process.

    Returns:
        Exit code: 0; 1 where some photos could not be read, or cached files are damaged; 2 for a
        mistake in the call, told in one line on stderr; 130 after Ctrl-C; 141 where the reader of
        the output has gone.

    Example:

    >>> main(["list", "plainnet2*"])
    architectures
      plainnet20
    0
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names that the terminal's encoding lacks are no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    # Not TensorFlow's default on all processors, and up to three times as fast.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    try:
        with quiet(not arguments.verbose):
            code = arguments.run(arguments)
        sys.stdout.flush()
    except ZooError as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # As the Python manual advises: or the interpreter complains when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo",
        description="Very deep networks that train without shortcuts, and their weights.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(verbose=True)  # where no model runs, nothing is to be kept back
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add(command)
        command.set_defaults(run=module.run)
    return parser

"""What the client of the Hub raises, as errors that say what to do.

No message of the client or the server is passed on, and none is chained: they may hold tokens,
signed addresses, or whatever a server wrote.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.checkpoint.card import CARD_FILE
from zoo.errors import HubError, ZooError

_LOG_IN = "log in with `hf auth login` or set HF_TOKEN"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR)


@contextmanager
def translated(repo: str, revision: str | None = None, file: str = CARD_FILE) -> Iterator[None]:
    """Errors of `huggingface_hub` in the block become `HubError`s; others stay what they are.

    Args:
        repo: "org/name", of which the block asks something.
        revision: of it, for errors.
        file: of it, for errors.

    Example:

    >>> with translated("org/name"):  # doctest: +SKIP
    ...     huggingface_hub.HfApi().model_info("org/name")
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        problem = explain(error, repo, revision, file)
        if problem is None:
            raise
    else:
        return
    at = f"@{revision}" if revision else ""
    raise HubError(f"hf://{repo}{at}: {problem}.") from None


def explain(error: BaseException, repo: str, revision: str | None, file: str) -> str | None:
    """What happened and what to do, in words; None where it is no matter of the Hub."""
    import httpx2
    from huggingface_hub import constants, errors

    server = constants.ENDPOINT
    if isinstance(error, errors.LocalEntryNotFoundError) or type(error) is ValueError:
        # The client wraps what kept it from asking the server.
        if error.__cause__ is not None:
            return explain(error.__cause__, repo, revision, file)
        if type(error) is ValueError:
            return None
        return f"{file} is not in the cache, and the client may not ask {server}"
    match error:
        case errors.OfflineModeIsEnabled():
            return f"{file} is not in the cache, and HF_HUB_OFFLINE forbids to download it"
        case errors.GatedRepoError():
            return (
                f"its owner grants access on request: ask for it on {server}/{repo}, then {_LOG_IN}"
            )
        case errors.RepositoryNotFoundError():
            return (
                f"there is no such repository on {server}, or it is private. Check the name, "
                + (f"or {_LOG_IN}")
            )
        case errors.RevisionNotFoundError():
            return f"it has no branch, tag or commit {revision!r}: see {server}/{repo}/commits/main"
        case errors.RemoteEntryNotFoundError():
            if file == CARD_FILE:
                return f"it has no {CARD_FILE}, so it is not a checkpoint of the zoo"
            return f"it has no {file}, though its card names it: tell the owner of the repository"
        case errors.DisabledRepoError():
            return "the Hub has disabled this repository"
        case errors.HFValidationError() | errors.HfUriError():
            return "this is not the name of a repository: 'org/name' is one"
        case errors.HfHubHTTPError():
            return _of_status(error.response.status_code, server)
        case errors.FileMetadataError():
            return f"{server} does not answer like a Hub: check HF_ENDPOINT, proxy and firewall"
        case errors.LocalTokenNotFoundError():
            return f"this needs a token: {_LOG_IN}"
        case httpx2.LocalProtocolError() | UnicodeEncodeError():
            return "the token has characters that no token has: correct HF_TOKEN, or log in anew"
        case httpx2.TimeoutException():
            return f"{server} did not answer in time: check the connection, or try later"
        case httpx2.ConnectError() | httpx2.ProxyError():
            return f"{server} cannot be reached: check the connection, proxy and HF_ENDPOINT"
        case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
            return "HF_ENDPOINT is not an address: https://huggingface.co is one"
        case httpx2.HTTPError():
            return f"the connection to {server} broke: try again"
        case OSError() if error.errno in _FULL:
            return (
                f"the disk has no room for {file} in {constants.HF_HUB_CACHE}: free some, e.g. "
                "with `zoo cache clean`, or set HF_HUB_CACHE to another folder"
            )
        case OSError() if error.errno in _READ_ONLY:
            return f"{constants.HF_HUB_CACHE} cannot be written: set HF_HUB_CACHE to another folder"
        case OSError() if type(error) is OSError and error.errno is None:
            return f"{server} sent {file} in another size than it said: try again"
    return None


def _of_status(status: int, server: str) -> str:
    match status:
        case 401:
            return f"{server} did not accept the token: correct HF_TOKEN, or log in anew"
        case 403:
            return "the token has no right to do this: give it that right, or use another"
        case 409:
            return "the Hub has something of this name already"
        case 412:
            return "somebody has committed to it meanwhile: look at what changed, then try again"
        case 429:
            return f"{server} has had too many requests: wait a few minutes, or {_LOG_IN}"
    return f"{server} answered with an error ({status}): try later"

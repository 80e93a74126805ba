"""Every error of the client has words of ours; what the client or a server wrote is in none."""

import errno

import httpx2
import pytest
from huggingface_hub import errors

from zoo.errors import CheckpointError, HubError
from zoo.hub.errors import explain, translated

pytestmark = pytest.mark.once

REQUEST = httpx2.Request("GET", "https://server/org/net?signature=SECRET")


def answer(kind=errors.HfHubHTTPError, status=500):
    return kind("SECRET", response=httpx2.Response(status, request=REQUEST))


def caused(error, cause):
    error.__cause__ = cause
    return error


def missing(cause=None):
    return caused(errors.LocalEntryNotFoundError("SECRET"), cause)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (missing(httpx2.ConnectError("SECRET")), "cannot be reached: check the connection"),
        (missing(httpx2.ConnectTimeout("SECRET")), "did not answer in time"),
        (missing(errors.OfflineModeIsEnabled("SECRET")), "HF_HUB_OFFLINE forbids"),
        (missing(errors.FileMetadataError("SECRET")), "does not answer like a Hub"),
        (missing(answer(status=503)), r"answered with an error \(503\)"),
        (missing(answer(status=429)), "too many requests"),
        (missing(), "x.bin is not in the cache"),
        (caused(ValueError("SECRET"), httpx2.ReadTimeout("SECRET")), "did not answer in time"),
        (answer(errors.GatedRepoError, 403), "grants access on request"),
        (answer(errors.RepositoryNotFoundError, 404), "no such repository"),
        (answer(errors.RevisionNotFoundError, 404), "no branch, tag or commit 'v1'"),
        (answer(errors.RemoteEntryNotFoundError, 404), "it has no x.bin"),
        (answer(errors.DisabledRepoError, 403), "has disabled"),
        (answer(status=401), "did not accept the token"),
        (answer(status=403), "no right to do this"),
        (answer(status=409), "something of this name"),
        (answer(status=412), "somebody has committed"),
        (answer(status=429), "too many requests"),
        (errors.HFValidationError("SECRET"), "not the name of a repository"),
        (errors.LocalTokenNotFoundError("SECRET"), "needs a token: log in"),
        (httpx2.LocalProtocolError("Illegal header value SECRET"), "the token has characters"),
        (UnicodeEncodeError("ascii", "SECRET", 0, 1, "SECRET"), "the token has characters"),
        (httpx2.ProxyError("SECRET"), "cannot be reached: check the connection, proxy"),
        (httpx2.ReadError("SECRET"), "broke: try again"),
        (httpx2.RemoteProtocolError("SECRET"), "broke: try again"),
        (httpx2.UnsupportedProtocol("SECRET"), "HF_ENDPOINT is not an address"),
        (httpx2.InvalidURL("SECRET"), "HF_ENDPOINT is not an address"),
        (OSError(errno.ENOSPC, "SECRET"), "the disk has no room for x.bin"),
        (OSError(errno.EROFS, "SECRET"), "cannot be written"),
        (OSError("Consistency check failed SECRET"), "in another size than it said"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_words(error, words):
    with pytest.raises(HubError, match=words) as info, translated("org/net", "v1", "x.bin"):
        raise error
    assert str(info.value).startswith("hf://org/net@v1: ")
    assert "SECRET" not in str(info.value)
    assert info.value.__cause__ is None
    assert info.value.__suppress_context__


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), OSError(errno.EIO, "x")])
def test_no_matter_of_the_hub(error):
    assert explain(error, "org/net", None, "x") is None
    with pytest.raises(type(error)) as info, translated("org/net"):
        raise error
    assert info.value is error


def test_errors_of_the_zoo_stay():
    with pytest.raises(CheckpointError), translated("org/net"):
        raise CheckpointError("x")

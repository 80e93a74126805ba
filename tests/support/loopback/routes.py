"""The first port of the loopback Hub: its API, as far as models need it."""

import base64
import json

import yaml

from .http import Handler, Refusal
from .repo import LARGE, File, Repo

_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_API = rf"/api/models/{_REPO}"
_REV = r"(?P<revision>[^/]+)"


class HubRoutes(Handler):
    """Each method returns (status, headers, body), or raises `Refusal`."""

    routes = (
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("POST", rf"{_API}/preupload/{_REV}", "preupload"),
        ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch", "batch"),
        ("POST", rf"/{_REPO}\.git/info/lfs/verify", "verify"),
        ("POST", rf"{_API}/commit/{_REV}", "commit"),
        ("POST", rf"{_API}/tag/{_REV}", "tag"),
        ("POST", rf"{_API}/paths-info/{_REV}", "paths_info"),
        ("GET", rf"{_API}/tree/{_REV}", "tree"),
        ("GET", rf"{_API}/refs", "refs"),
        ("GET", rf"{_API}/revision/{_REV}", "info"),
        ("GET", _API, "info"),
        ("HEAD", rf"/{_REPO}/resolve/{_REV}/(?P<path>.+)", "resolve"),
        ("GET", rf"/{_REPO}/resolve/{_REV}/(?P<path>.+)", "resolve"),
    )

    # ------------------------------------------------------------------------------- who may what

    def namespaces(self) -> tuple[str, ...] | None:
        """What the token may write to; None without one."""
        if self.token is None:
            return None
        if self.token not in self.hub.tokens:
            raise Refusal(401, message="Invalid credentials in Authorization header")
        return self.hub.tokens[self.token]

    def writable(self, repo: str) -> Repo:
        own = self.namespaces()
        if own is None:
            raise Refusal(401, message="Invalid username or password.")
        found = self.readable(repo)
        if repo.partition("/")[0] not in own:
            raise Refusal(403, message="you don't have the rights to write to this repository")
        return found

    def readable(self, repo: str, content: bool = False) -> Repo:
        own = self.namespaces()
        found, owner = self.hub.repos.get(repo), repo.partition("/")[0] in (own or ())
        if found is None or (found.private and not owner):
            # Without a login, the Hub does not tell what is missing and what is private.
            raise Refusal(401 if own is None else 404, "RepoNotFound", "Repository not found")
        if content and found.gated and not owner:
            status = 401 if own is None else 403
            raise Refusal(status, "GatedRepo", "Access to this model is restricted")
        return found

    def at(self, repo: Repo, revision: str) -> str:
        commit = repo.find(revision)
        if commit is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def json(self) -> dict:
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refusal(400, bug="the body is not JSON") from None

    # -------------------------------------------------------------------------------- downloading

    def resolve(self, repo: str, revision: str, path: str):
        found = self.readable(repo, content=True)
        commit = self.at(found, revision)
        file = found.commits[commit].get(path)
        headers = {"X-Repo-Commit": commit}
        if file is None:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        if not file.large:
            return 200, headers | {"ETag": f'"{file.etag}"'}, file.data
        headers |= {
            "Location": f"{self.hub.storage}/objects/{file.sha256}/{path}",
            "X-Linked-Etag": f'"{file.etag}"',
            "X-Linked-Size": str(len(file.data)),
        }
        return 302, headers, b""

    def info(self, repo: str, revision: str = "main"):
        found = self.readable(repo)
        commit = self.at(found, revision)
        siblings = [{"rfilename": path} for path in found.commits[commit]]
        info = {"_id": "0", "id": repo, "modelId": repo, "sha": commit, "siblings": siblings}
        return 200, {}, info | {"private": found.private, "gated": found.gated, "tags": []}

    def tree(self, repo: str, revision: str):
        found = self.readable(repo)
        files = found.commits[self.at(found, revision)]
        return 200, {}, [file.describe(path) for path, file in files.items()]

    def paths_info(self, repo: str, revision: str):
        found = self.readable(repo)
        files = found.commits[self.at(found, revision)]
        wanted = self.form()["paths"]
        return 200, {}, [files[path].describe(path) for path in wanted if path in files]

    def refs(self, repo: str):
        found = self.readable(repo)

        def rows(kind, refs):
            return [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
                for name, commit in refs.items()
            ]

        branches, tags = rows("heads", found.branches), rows("tags", found.tags)
        return 200, {}, {"branches": branches, "tags": tags, "converts": []}

    # --------------------------------------------------------------------------------- publishing

    def whoami(self):
        own = self.namespaces()
        if own is None:
            raise Refusal(401, message="Invalid username or password.")
        orgs = [{"name": name, "type": "org"} for name in own]
        return 200, {}, {"type": "user", "name": "somebody", "orgs": orgs}

    def create(self):
        own = self.namespaces()
        value = self.json()
        name = f"{value['organization']}/{value['name']}"
        if own is None or value["organization"] not in own:
            raise Refusal(401 if own is None else 403, message="no right to create this repository")
        if value.get("type", "model") != "model":
            raise Refusal(500, bug=f"type {value['type']}")
        url = {"url": f"{self.hub.endpoint}/{name}", "name": name}
        if name in self.hub.repos:
            error = {"error": "You already created this model repo"}
            raise Refusal(409, message=error["error"], body=error | url)
        self.hub.repos[name] = Repo(private=value.get("visibility") == "private")
        return 200, {}, url

    def validate_yaml(self):
        lines = self.json()["content"].split("\n")
        errors = []
        try:
            if lines[0] != "---":
                raise ValueError("no metadata")
            value = yaml.safe_load("\n".join(lines[1 : lines.index("---", 1)]))
            if not isinstance(value, dict):
                raise ValueError("metadata must be a mapping")
        except (ValueError, yaml.YAMLError) as error:
            errors.append({"message": str(error)})
        return 400 if errors else 200, {}, {"errors": errors, "warnings": []}

    def preupload(self, repo: str, revision: str):
        found = self.writable(repo)
        files = found.commits[self.at(found, revision)]
        answers = []
        for file in self.json()["files"]:
            base64.b64decode(file["sample"], validate=True)
            path = file["path"]
            mode = "lfs" if path.endswith(LARGE) or file["size"] > 10_000_000 else "regular"
            answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
            answers.append(answer | ({"oid": files[path].etag} if path in files else {}))
        return 200, {}, {"files": answers}

    def batch(self, repo: str):
        self.writable(repo)
        value = self.json()
        if value["operation"] != "upload" or "basic" not in value["transfers"]:
            raise Refusal(400, bug="only plain uploads")
        answers = []
        for item in value["objects"]:
            oid = item["oid"]
            answer = {"oid": oid, "size": item["size"]}
            if oid not in self.hub.stored:
                self.hub.announced[oid] = item["size"]
                verify = {"href": f"{self.hub.endpoint}/{repo}.git/info/lfs/verify"}
                upload = {"href": f"{self.hub.storage}/objects/{oid}"}
                answer["actions"] = {"upload": upload, "verify": verify}
            answers.append(answer)
        return 200, {}, {"transfer": "basic", "objects": answers}

    def verify(self, repo: str):
        self.writable(repo)
        value = self.json()
        if len(self.hub.stored.get(value["oid"], b"")) != value["size"]:
            raise Refusal(404, bug="verifies what was not sent")
        return 200, {}, {}

    def commit(self, repo: str, revision: str):
        found = self.writable(repo)
        if revision != "main":
            raise Refusal(404, "RevisionNotFound", "no such branch")
        files, message = dict(found.files), None
        for line in self.body.splitlines():
            entry = json.loads(line)
            key, value = entry["key"], entry["value"]
            if key == "header":
                message = value["summary"]
                if value.get("parentCommit", found.head) != found.head:
                    raise Refusal(412, message="A commit has happened since. Please refresh.")
            elif key == "file":
                data = base64.b64decode(value["content"], validate=True)
                files[value["path"]] = File(data, large=False)
            elif key == "lfsFile":
                data = self.hub.stored.get(value["oid"])
                if data is None or len(data) != value["size"]:
                    raise Refusal(400, bug=f"{value['path']} was not sent")
                files[value["path"]] = File(data, large=True)
            elif key == "deletedFile" and value["path"] in files:
                del files[value["path"]]
            else:
                raise Refusal(400, bug=f"operation {line[:100]!r}")
        if not message:
            raise Refusal(400, bug="a commit without a summary")
        commit = found.commit(files, message)
        url = f"{self.hub.endpoint}/{repo}/commit/{commit}"
        return 200, {}, {"success": True, "commitOid": commit, "commitUrl": url}

    def tag(self, repo: str, revision: str):
        found = self.writable(repo)
        name = self.json()["tag"]
        if name in found.tags:
            raise Refusal(409, message="Reference already exists")
        found.tags[name] = self.at(found, revision)
        return 200, {}, b""

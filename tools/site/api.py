"""The controller's HTTP API, as a dictionary in and a dictionary out."""

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from process import Failure


class Refused(Failure):
    """The controller's problem+json."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
        self.status, self.problem = status, problem


class Api:
    def __init__(self, url, ca, token, language="en"):
        self.url, self.token, self.language = url.rstrip("/"), token, language
        context = ssl.create_default_context(cafile=ca)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

    def send(self, method, path, body=None, type=None, seconds=60, raw=False):
        """`body`: dict or list (JSON), str or bytes. Returns the decoded answer, or its bytes with `raw`."""
        headers = {"Accept-Language": self.language}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(body, (dict, list)):
            body, type = json.dumps(body).encode(), type or "application/json"
        elif isinstance(body, str):
            body = body.encode()
        if type:
            headers["Content-Type"] = type
        request = urllib.request.Request(self.url + "/api/v1" + path, data=body, method=method, headers=headers)
        try:
            with self.opener.open(request, timeout=seconds) as answer:
                data = answer.read()
        except urllib.error.HTTPError as error:
            data = error.read()
            try:
                problem = json.loads(data)
            except ValueError:
                problem = {"detail": data[:200].decode(errors="replace")}
            raise Refused(error.code, problem) from None
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{self.url}: {getattr(error, 'reason', error)}") from None
        return data if raw else json.loads(data) if data else None

    def get(self, path, **query):
        return self.send("GET", path + self._query(query))

    def post(self, path, body=None, type=None, **query):
        return self.send("POST", path + self._query(query), body, type)

    @staticmethod
    def _query(query):
        given = {k.rstrip("_"): v for k, v in query.items() if v is not None}
        return "?" + urllib.parse.urlencode(given) if given else ""

    def all(self, path, **query):
        """All items of a list, page by page."""
        items, after = [], None
        while True:
            page = self.get(path, limit=500, after=after, **query)
            items += page["items"]
            after = page.get("next")
            if not after:
                return items

    def device(self, device):
        return self.get(f"/devices/{device}")

    def receipts(self, device=None, rule=None):
        return self.all("/receipts", device=device, rule=rule)

    def events(self, device=None, code=None):
        return self.all("/events", device=device, code=code)

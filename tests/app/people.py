"""People of a test: users with passwords, logged in over a running API."""

from dataclasses import dataclass

import httpx

from tests.app.asking import ask
from tests.app.client import KEY
from tests.app.stage import Role as Process

PASSWORD = "correct horse battery"


@dataclass
class Person:
    """Somebody with tokens, at an API."""

    api: Process
    name: str
    access: str = ""
    refresh: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def log_in(self, password: str = PASSWORD) -> httpx.Response:
        return self.take(call(self.api, "POST", "/v1/auth/login", {}, name=self.name, password=password))

    def renew(self, token: str = "") -> httpx.Response:
        return self.take(call(self.api, "POST", "/v1/auth/refresh", {}, refresh_token=token or self.refresh))

    def take(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 200:
            self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]
        return answer

    def get(self, path: str) -> httpx.Response:
        return call(self.api, "GET", path, self.headers)

    def post(self, path: str, **body: object) -> httpx.Response:
        return call(self.api, "POST", path, self.headers, **body)

    def delete(self, path: str) -> httpx.Response:
        return call(self.api, "DELETE", path, self.headers)


def call(api: Process, method: str, path: str, headers: dict[str, str] = KEY, **body: object) -> httpx.Response:
    """One request, by default with the deployment's key."""
    url = f"http://127.0.0.1:{api.port}{path}"
    return ask(method, url, headers, body or None)


def user(api: Process, name: str, role: str, accounts: list[str] | None = None) -> Person:
    """A new user, logged in."""
    made = call(api, "POST", "/v1/admin/users", name=name, password=PASSWORD, role=role, accounts=accounts)
    assert made.status_code == 201, made.text
    person = Person(api, name)
    assert person.log_in().status_code == 200
    return person

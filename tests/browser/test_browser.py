"""A frontend in a browser: another origin, over HTTPS, through a proxy that ends TLS."""

import json
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
import trustme
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, DeployedPlatform, Process, free_port
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.ui import WebDriverWait

BROWSER, DRIVER, CADDY = map(shutil.which, ("chromium", "chromedriver", "caddy"))
TRAINING_SECONDS = 240

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not (BROWSER and DRIVER and CADDY), reason="chromium, chromedriver and caddy are not all here"),
]


@dataclass
class Site:
    """The platform behind a proxy, and a page of another origin."""

    platform: DeployedPlatform
    api: str
    app: str
    plain: str
    tls: ssl.SSLContext


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    api, app, plain = (free_port() for _ in range(3))
    settings = {
        "CORS_ORIGINS": f"https://app.localhost:{app}", "TRUSTED_PROXIES": "127.0.0.1", "HTTPS_REDIRECT": "true",
        "PUBLIC_URL": "https://api.localhost", "HSTS_SECONDS": "60",
    }  # fmt: skip
    platform = DeployedPlatform(folder / "platform", frameworks=("timm",), settings=settings)
    shutil.copytree(ROOT / "samples/digits", platform.datasets / "digits")
    authority = trustme.CA()
    certificate = authority.issue_cert("api.localhost", "app.localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "site.pem")
    backend = platform.url.removeprefix("http://")
    proxied = f"reverse_proxy {backend} {{\n flush_interval -1\n }}"
    tls = f"tls {folder}/site.pem {folder}/site.pem"
    (folder / "Caddyfile").write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"https://api.localhost:{api} {{\n {tls}\n {proxied}\n}}\n"
        f"http://api.localhost:{plain} {{\n {proxied}\n}}\n"
        f"https://app.localhost:{app} {{\n {tls}\n root * {ROOT}/tests/browser/frontend\n file_server\n}}\n"
    )
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = (str(CADDY), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile")
    proxy = Process("caddy", command, home, folder / "caddy.log")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    try:
        platform.start()
        proxy.start()
        proxy.wait_until_it_listens(api)
        yield Site(
            platform, f"https://api.localhost:{api}", f"https://app.localhost:{app}",
            f"http://api.localhost:{plain}", context,
        )  # fmt: skip
    finally:
        proxy.kill()
        platform.stop()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    options.accept_insecure_certs = True  # signed by a temporary authority
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}"):
        options.add_argument(argument)
    chrome = Chrome(options, ChromeService(str(DRIVER)))
    yield chrome
    chrome.quit()


def _visit(browser: Chrome, site: Site, seconds: float) -> dict[str, object]:
    """Open the page and wait for its end; returns the output of each step."""
    query = {"api": site.api, "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    query["dataset"] = str(site.platform.datasets / "digits")
    browser.get(f"{site.app}/?{urlencode(query)}")
    WebDriverWait(browser, seconds).until(lambda driver: driver.execute_script("return document.body.dataset.state"))
    steps = browser.execute_script("return [...document.querySelectorAll('li')].map(li => [li.id, li.textContent])")
    return {name: json.loads(text) for name, text in steps}


def test_a_page_of_another_origin_signs_in_creates_starts_and_follows(site: Site, browser: Chrome) -> None:
    assert _visit(browser, site, 30) == {"signed-in": ADMIN_EMAIL}
    steps = _visit(browser, site, TRAINING_SECONDS)
    assert steps["listed"] == {"total": "2", "link": True}
    assert (steps["started"], steps["finished"]) == ("queued", "completed")
    followed = steps["followed"]
    assert isinstance(followed, dict)
    assert followed["metrics"] >= 3
    assert followed["seconds"] > 0, "they came one after the other, not all at the end"


def _ask(site: Site, path: str, scheme: str = "https", **headers: str) -> httpx.Response:
    """Send a request under the public name, which only browsers resolve to this machine."""
    place = httpx.URL(site.api if scheme == "https" else site.plain)
    headers["Host"] = place.netloc.decode()
    with httpx.Client(verify=site.tls) as client:
        return client.get(
            place.copy_with(host="127.0.0.1", path=path), headers=headers, extensions={"sni_hostname": place.host}
        )


def test_http_is_redirected_to_https_and_hsts_is_sent(site: Site) -> None:
    plain = _ask(site, "/api/v1/projects", "http")
    assert plain.status_code == 308
    assert plain.headers["Location"].startswith("https://api.localhost/api/v1/projects")
    assert _ask(site, "/health").headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains"


def test_a_clients_forwarded_headers_are_ignored(site: Site) -> None:
    """The proxy replaces them, and the backend trusts the proxy alone."""
    path = "/api/v1/auth/me"
    assert _ask(site, path, "http", **{"X-Forwarded-Proto": "https"}).status_code == 308
    assert _ask(site, path, "https", **{"X-Forwarded-Proto": "http"}).status_code == 401


def test_a_page_of_an_origin_that_is_not_named_may_not_read(site: Site) -> None:
    assert "Access-Control-Allow-Origin" not in _ask(site, "/health", Origin="https://evil.example").headers
    named = _ask(site, "/health", Origin=site.app)
    assert named.headers["Access-Control-Allow-Origin"] == site.app
    assert "X-Total-Count" in named.headers["Access-Control-Expose-Headers"]

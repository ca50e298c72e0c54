"""What a person sees and does in Airflow's web interface, done by a real browser."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow.sdk", reason="the web interface of Airflow 2 is another one")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: run `make test-browser`")

from airflow_provider_hotmart.emulator import HotmartEmulator  # noqa: E402
from airflow_provider_hotmart.get_provider_info import get_provider_info  # noqa: E402
from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGUMENTS, ROOT, Site  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: sudo scripts/install-test-servers.sh chromium"),
]
SECONDS = 1000
VIEWPORT: Any = {"width": 1280, "height": 900}
FORM = get_provider_info()["connection-types"][0]
# Written out, so that a label that is lost in the package is missed here.
EXTRA_FIELDS = {
    "environment": "Environment",
    "timezone": "Time zone",
    "basic_token": "Basic token",
    "pseudonym_key": "Pseudonym key",
    "hottok": "Hottok",
    "token_url": "Token URL",
    "timeout": "Timeout",
    "max_retries": "Retries",
    "max_rate_limit_wait": "Longest wait for the rate limit",
    "max_parallel_calls": "Parallel calls",
    "calls_per_minute": "Calls per minute",
}
SECRET_FIELDS = ("basic_token", "pseudonym_key", "hottok")
STANDARD_FIELDS = {"host": "Base URL", "login": "Client ID", "password": "Client Secret"}
PLACEHOLDERS = {
    "login": "The Client ID of the credential: Hotmart > Tools > Hotmart credentials",
    "password": "The Client Secret of the same credential",
    "host": "Leave empty for Hotmart itself; set it for an emulator or a proxy",
}
#: Where to keep the pictures that the documentation shows; unset: nowhere.
PICTURES = os.environ.get("PICTURES")


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[playwright.Page]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport=VIEWPORT)
        page.set_default_timeout(60 * SECONDS)
        page.goto(site.url)
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", site.password)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Dags").first.wait_for()
        yield page
        browser.close()


@pytest.fixture(autouse=True)
def picture_of_failure(page: playwright.Page, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        page.screenshot(path=tmp_path / "page.png")


def picture(target: playwright.Page | playwright.Locator, name: str, **more: Any) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        target.screenshot(path=f"{PICTURES}/{name}.png", animations="disabled", **more)


def open_form(page: playwright.Page, site: Site, connection_id: str) -> playwright.Locator:
    page.goto(f"{site.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Connection ID").fill(connection_id)
    page.keyboard.press("Tab")
    page.keyboard.type("hotmart")
    dialog.get_by_text("Hotmart", exact=True).first.wait_for()
    page.keyboard.press("Enter")
    dialog.locator("input[name=login]").wait_for()
    return dialog


def open_extra_fields(page: playwright.Page, dialog: playwright.Locator) -> None:
    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
    dialog.get_by_text("Calls per minute", exact=True).wait_for()
    page.wait_for_timeout(500)  # the section unfolds


def save_connection(
    page: playwright.Page, site: Site, connection_id: str, hotmart: HotmartEmulator, secret: str
) -> None:
    dialog = open_form(page, site, connection_id)
    # With a port in a field of its own: Airflow 3.3.2 sends port 0 for one that is left empty when a saved
    # connection is tested, and then refuses it as another endpoint than the saved one.
    host, _, port = hotmart.url.rpartition(":")
    dialog.locator("input[name=host]").fill(host)
    dialog.get_by_label("Port").fill(port)
    dialog.locator("input[name=login]").fill(hotmart.client_id)
    dialog.locator("input[name=password]").fill(secret)
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("cell", name=connection_id, exact=True).wait_for()


def test_the_form_shows_every_field_with_its_label_and_help(page: playwright.Page, site: Site) -> None:
    dialog = open_form(page, site, "hotmart_default")
    for name, label in STANDARD_FIELDS.items():
        assert dialog.get_by_text(label, exact=True).is_visible(), label
        assert dialog.locator(f"input[name={name}]").get_attribute("placeholder") == PLACEHOLDERS[name]
    picture(dialog, "connection-form")

    open_extra_fields(page, dialog)
    page.set_viewport_size({"width": 1280, "height": 1600})  # what the dialog has to scroll is not in a picture
    picture(dialog.get_by_role("region").filter(has_text="Calls per minute"), "connection-fields")
    page.set_viewport_size(VIEWPORT)
    lines = dialog.inner_text().splitlines()
    assert FORM["conn-fields"].keys() == EXTRA_FIELDS.keys()
    for name, label in EXTRA_FIELDS.items():
        assert label in lines, name
        assert FORM["conn-fields"][name]["description"] in lines, name


def test_the_form_shows_no_secret_in_clear(page: playwright.Page, site: Site) -> None:
    dialog = open_form(page, site, "looking")
    dialog.locator("input[name=password]").fill("not-to-be-seen")
    assert dialog.locator("input[name=password]").get_attribute("type") == "password"

    open_extra_fields(page, dialog)
    for name in SECRET_FIELDS:
        dialog.locator(f"input[name=element_{name}]").fill("not-to-be-seen-either")
        assert dialog.locator(f"input[name=element_{name}]").get_attribute("type") == "password"
    # Airflow itself shows what was just typed as JSON, until it is saved, to whoever opens that section.
    clear = dialog.locator("input:not([type=password]), textarea").all()
    shown = dialog.inner_text() + "".join(field.input_value() for field in clear)
    assert "not-to-be-seen" not in shown


def test_a_saved_connection_shows_no_secret_when_it_is_edited(
    page: playwright.Page, site: Site, hotmart: HotmartEmulator
) -> None:
    dialog = open_form(page, site, "editing")
    dialog.locator("input[name=login]").fill(hotmart.client_id)
    dialog.locator("input[name=password]").fill(hotmart.client_secret)
    open_extra_fields(page, dialog)
    own = {"basic_token": hotmart.basic_token, "pseudonym_key": "of-the-pseudonyms", "hottok": "of-the-webhooks"}
    for name in SECRET_FIELDS:
        dialog.locator(f"input[name=element_{name}]").fill(own[name])
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("cell", name="editing", exact=True).wait_for()

    page.reload()
    row = page.get_by_role("row").filter(has_text="editing")
    row.get_by_role("button", name="Edit Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[name=login]").wait_for()
    open_extra_fields(page, dialog)
    dialog.get_by_role("button", name="Extra Fields JSON").click()
    page.wait_for_timeout(1000)  # the section unfolds
    shown = dialog.inner_text() + "".join(field.input_value() for field in dialog.locator("input, textarea").all())
    assert hotmart.client_id in shown
    assert hotmart.client_secret not in shown
    assert hotmart.basic_token.removeprefix("Basic ") not in shown
    # Airflow is told to hide these as the documentation says.
    assert "of-the-" not in shown


def test_a_saved_connection_passes_the_test_button(page: playwright.Page, site: Site, hotmart: HotmartEmulator) -> None:
    save_connection(page, site, "hotmart_default", hotmart, hotmart.client_secret)
    row = page.get_by_role("row").filter(has_text="hotmart_default")
    row.get_by_role("button", name="Test Connection").click()
    message = page.get_by_text("one product could be read from")
    message.wait_for()


def test_a_wrong_secret_fails_the_test_button_in_words(
    page: playwright.Page, site: Site, hotmart: HotmartEmulator
) -> None:
    save_connection(page, site, "hotmart_wrong", hotmart, "no-such-secret")
    row = page.get_by_role("row").filter(has_text="hotmart_wrong")
    row.get_by_role("button", name="Test Connection").click()
    message = page.get_by_text("Wrong credential.")
    message.wait_for()
    assert "no-such-secret" not in page.inner_text("body")
    picture(page, "connection-test-wrong")


def test_without_a_port_the_test_button_says_what_the_documentation_says_it_does(
    page: playwright.Page, site: Site, hotmart: HotmartEmulator
) -> None:
    dialog = open_form(page, site, "hotmart_portless")
    placeholder = dialog.get_by_label("Port").get_attribute("placeholder")
    dialog.locator("input[name=host]").fill(hotmart.url)
    dialog.locator("input[name=login]").fill(hotmart.client_id)
    dialog.locator("input[name=password]").fill(hotmart.client_secret)
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("cell", name="hotmart_portless", exact=True).wait_for()
    row = page.get_by_role("row").filter(has_text="hotmart_portless")
    row.get_by_role("button", name="Test Connection").click()
    page.get_by_text("Bad Request").first.wait_for()
    picture(page, "connection-test-portless", clip={"x": 64, "y": 110, "width": 1216, "height": 790})
    assert placeholder == "Leave empty; if Test says only 'Bad Request', write 443"
    assert '"Bad Request" is all that Test says' in (ROOT / "docs" / "connection.md").read_text(encoding="utf-8")

    row.get_by_role("button", name="Edit Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Port").fill("443")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    row.get_by_role("button", name="Test Connection").click()
    page.get_by_text("Hotmart accepts the credential").first.wait_for()


def test_the_log_of_a_task_with_a_wrong_secret_begins_with_what_to_do(page: playwright.Page, site: Site) -> None:
    page.goto(f"{site.url}/dags/wrong_secret")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Trigger").click()
    dialog.wait_for(state="detached")
    page.goto(f"{site.url}/dags/wrong_secret/runs")
    page.get_by_text("Failed").first.wait_for(timeout=120 * SECONDS)
    page.goto(f"{site.url}/task_instances?dag_id_pattern=wrong_secret")
    page.get_by_role("link", name="products").first.click()
    told = page.get_by_text("Hotmart does not accept the Client ID and Client Secret: copy both again")
    told.first.wait_for()
    assert told.count() == 1
    assert "no-such-secret" not in page.inner_text("body")


def test_an_example_runs_and_leaves_its_manifest(page: playwright.Page, site: Site) -> None:
    dag = "hotmart_daily_to_object_storage"
    page.goto(f"{site.url}/dags/{dag}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Trigger").click()
    dialog.wait_for(state="detached")

    files = wait_for(lambda: sorted(site.files.glob("participants/*.jsonl.gz")))
    assert files, "no file was written"
    page.goto(f"{site.url}/dags/{dag}/runs")
    page.get_by_text("Success").first.wait_for(timeout=120 * SECONDS)

    page.goto(f"{site.url}/xcoms?dag_display_name_pattern={dag}")
    page.get_by_role("link", name="participants").first.click()
    page.set_viewport_size({"width": 1280, "height": 1700})  # each fact is an XCom of its own
    page.get_by_role("link", name="Storage", exact=True).click()
    page.get_by_role("link", name="XCom", exact=True).click()
    for key in ("uri", "records", "bytes", "sha256", "window", "statuses", "return_value"):
        page.get_by_role("cell", name=key, exact=True).wait_for()
    page.wait_for_timeout(3000)  # the viewer draws its text
    # The scheduled run, which Airflow makes when the DAG is switched on, may have listed another day.
    text = page.inner_text("body")
    assert any(path.name in text for path in site.files.glob("participants/*.jsonl.gz"))
    picture(page, "example-xcom", clip={"x": 332, "y": 70, "width": 948, "height": 1149})
    page.set_viewport_size(VIEWPORT)


def test_a_watched_asset_shows_its_events_and_the_run_that_they_started(page: playwright.Page, site: Site) -> None:
    page.goto(f"{site.url}/dags/hotmart_on_new_sales")
    page.locator("[data-scope=switch]").first.click()
    page.goto(f"{site.url}/assets")
    page.get_by_role("link", name="hotmart_sales").first.click()
    until = time.monotonic() + 120
    run = page.get_by_text("Triggered Dag Run")
    while not run.count() and time.monotonic() < until:
        page.wait_for_timeout(5 * SECONDS)
        page.reload()
        page.get_by_text("Asset Events").first.wait_for()
        page.wait_for_timeout(3 * SECONDS)  # the viewer draws its text
    picture(page, "asset-events")
    assert run.count()
    assert "Source: Trigger" in " ".join(page.inner_text("body").split())


def wait_for(found: Callable[[], list[Path]], seconds: float = 180.0) -> list[Path]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(1)
    return []

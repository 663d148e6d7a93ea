"""The page in a browser: it loads completely, requests nothing else, and its sliders move."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from graphs.noise2noise.report.page import write_report
from tests.noise2noise.report.made import report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver is installed"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


def requests_of(browser: Any, address: str) -> list[str]:
    """Open a page; return everything it requested besides itself."""
    browser.get("about:blank")
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(address)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert address in urls
    return [url for url in urls if url != address and not url.startswith("data:")]


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The page, opened, and what it requested."""
    path: Path = tmp_path_factory.mktemp("run") / "report.html"
    write_report(path, report())
    return requests_of(browser, path.as_uri())


def test_a_request_would_be_seen(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><img src='http://127.0.0.1:9/a.png'>")
    assert requests_of(browser, page.as_uri()) == ["http://127.0.0.1:9/a.png"]


def test_no_request_leaves_the_page(opened: list[str]) -> None:
    assert opened == []


@pytest.mark.usefixtures("opened")
def test_nothing_fails_to_load(browser: Any) -> None:
    assert browser.get_log("browser") == []
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) == 6
    assert all(image.get_property("naturalWidth") == 128 for image in images)
    assert browser.execute_script("return document.title") == report().title


def shown_share(browser: Any) -> float:
    """How much of the first picture is shown noisy, in percent."""
    clip = browser.execute_script(
        "return getComputedStyle(document.querySelector('.compare .before')).clipPath"
    )
    right = clip.split()[1]
    width = browser.execute_script("return document.querySelector('.compare').clientWidth")
    if right.startswith("calc"):
        return float(right.split("-")[-1].strip(" %)")) if "%" in right else float("nan")
    value = float(right.rstrip("px%"))
    return 100 - value if right.endswith("%") else 100 * (1 - value / width)


@pytest.mark.usefixtures("opened")
def test_the_slider_moves(browser: Any) -> None:
    slider = browser.find_element(By.CSS_SELECTOR, ".compare input")
    assert slider.get_property("value") == "50"
    before = browser.execute_script(
        "return getComputedStyle(document.querySelector('.handle')).left"
    )
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    width = slider.size["width"]
    actions = webdriver.ActionChains(browser)
    actions.move_to_element(slider).click_and_hold().move_by_offset(
        width // 4, 0
    ).release().perform()
    assert float(slider.get_property("value")) == pytest.approx(75, abs=4)
    after = browser.execute_script(
        "return getComputedStyle(document.querySelector('.handle')).left"
    )
    assert float(after.rstrip("px")) > float(before.rstrip("px")) + width / 6
    dragged = float(slider.get_property("value"))
    slider.send_keys(Keys.ARROW_LEFT * 5)
    assert float(slider.get_property("value")) < dragged
    assert shown_share(browser) == pytest.approx(float(slider.get_property("value")), abs=1)


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("width", [360, 800, 1600])
def test_it_fits_any_window(browser: Any, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.usefixtures("opened")
def test_it_is_dark_where_that_is_asked_for(browser: Any) -> None:
    def brightness(scheme: str) -> int:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(",")))

    assert brightness("light") > 700
    assert brightness("dark") < 100

"""What a person does on the first morning: open the page, compute something with an installed package, save, find it again."""

from __future__ import annotations

import json
import os
import pathlib

from checkout import ROOT
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import visibility_of_element_located
from selenium.webdriver.support.wait import WebDriverWait

CODE = """\
import humanize, numpy, seaborn
x = numpy.linspace(0, 12, 300)
seaborn.set_theme()
seaborn.lineplot(x=x, y=numpy.exp(-x / 5) * numpy.cos(2 * x))
print("9 to the 9th is", humanize.intword(9 ** 9))"""
CELL = ".jp-Notebook .jp-CodeCell .cm-content"
COMPUTED = "9 to the 9th is 387.4 million"


class Page:
    """JupyterLab as a person sees it: every step waits until what it needs is there, and long: machines for tests are busy."""

    def __init__(self, browser):
        self.browser = browser

    def wait(self, holds, what: str):
        """What `holds` gives as soon as that is something. Else the test fails, and says what is on the page instead."""
        try:
            return WebDriverWait(self.browser, 240, ignored_exceptions=[WebDriverException]).until(holds)
        except TimeoutException:
            shown = self.browser.find_element(By.TAG_NAME, "body").text
            said = "\n".join(entry["message"] for entry in self.browser.get_log("browser"))
            message = f"No {what}. The page shows:\n{shown}\nThe browser said:\n{said}"
        raise AssertionError(message)

    def see(self, css: str):
        return self.wait(visibility_of_element_located((By.CSS_SELECTOR, css)), css)

    def click(self, css: str) -> None:
        self.wait(lambda browser: browser.find_element(By.CSS_SELECTOR, css).click() or True, css)

    def press(self, key: str, modifier: str) -> None:
        ActionChains(self.browser).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def write(self, css: str, text: str) -> None:
        """Type it into an editor. A page that is still being drawn may take the focus away: then once more."""

        def written(browser) -> bool:
            browser.find_element(By.CSS_SELECTOR, css).click()
            self.press("a", Keys.CONTROL)
            ActionChains(browser).send_keys(text).perform()
            return browser.find_element(By.CSS_SELECTOR, css).text == text

        self.wait(written, f"editor that takes what is typed ({css})")

    def run(self, css: str, output: str) -> str:
        """Run a cell, and give its output. JupyterLab loses what is run while it is still connecting: then once more."""

        def ran(browser) -> str:
            browser.find_element(By.CSS_SELECTOR, css).click()
            self.press(Keys.ENTER, Keys.CONTROL)
            return WebDriverWait(browser, 60).until(visibility_of_element_located((By.CSS_SELECTOR, output))).text

        return self.wait(ran, output)


def notebook_outputs(path: pathlib.Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return json.dumps([cell.get("outputs") for cell in cells])


def test_a_person_can_work(lab, browser):
    page = Page(browser)
    token = pathlib.Path(lab["token_file"]).read_text(encoding="utf-8").strip()
    browser.get(f"{lab['url']}?token={token}")

    page.click('.jp-LauncherCard[data-category="Notebook"]')
    page.see('.jp-NotebookPanel-toolbar [data-status="idle"]')
    page.write(CELL, CODE)
    assert COMPUTED in page.run(CELL, ".jp-OutputArea-output pre")
    page.see(".jp-OutputArea-output img")

    page.press("s", Keys.CONTROL)
    page.click(".jp-Dialog .jp-mod-accept")  # the first save asks for a name: Untitled.ipynb will do
    saved = pathlib.Path(lab["work_dir"]) / "Untitled.ipynb"
    page.wait(lambda _browser: saved.exists() and COMPUTED in notebook_outputs(saved), "notebook on the host")

    if os.environ.get("SCREENSHOT"):
        browser.execute_script("document.querySelectorAll('.Toastify').forEach(news => news.remove())")
        picture = ROOT / os.environ["SCREENSHOT"]
        picture.parent.mkdir(parents=True, exist_ok=True)
        assert browser.save_screenshot(str(picture))


def test_without_the_token_nothing_is_shown(lab, browser):
    browser.get(lab["url"])
    Page(browser).see("#login_submit, #password_input")

"""The studio: what is served, to whom, and that a browser makes a film with it.

The browser's part needs Debian's chromium, chromium-driver and Python's selenium; without them it is skipped aloud."""
import os
import re
import shutil
import tempfile
import unittest

import rig

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    webdriver = None

FOLDER = os.path.join(rig.HERE, "..", "..", "studio")
HAS_BROWSER = webdriver is not None and shutil.which("chromium") and shutil.which("chromedriver")


class Files(rig.ServerTest):
    def test_all_files_as_they_are(self):
        weight = 0
        for name in sorted(os.listdir(FOLDER)):
            with open(os.path.join(FOLDER, name), "rb") as f:
                text = f.read()
            answer = self.server.get("/studio/" + name)
            self.assertEqual((answer.status, answer.body), (200, text), name)
            self.assertIn("default-src 'self'", answer.headers["Content-Security-Policy"])
            self.assertEqual(answer.headers["X-Frame-Options"], "DENY")
            weight += len(text)
        self.assertLess(weight, 150_000)
        page = self.server.get("/")
        self.assertEqual(page.headers["Content-Type"], "text/html; charset=utf-8")
        for name in re.findall(rb'(?:href|src)="(studio/[^"]+)"', page.body):
            self.assertEqual(self.server.get("/" + name.decode()).status, 200, name)

    def test_no_inline_script_and_no_other_site(self):
        for name in os.listdir(FOLDER):
            with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
                text = f.read()
            self.assertNotRegex(text, r"https?://|<script(?![^>]*src=)|\son[a-z]+=\"|style=\"", name)

    def test_nothing_else_is_a_page(self):
        for path in ("/studio/x.js", "/studio/..%2fserver.h", "/studio", "/studio/app.js/x"):
            self.assertIn(self.server.get(path).status, (400, 404), path)

    def test_links_of_other_sites_open_the_page_and_no_more(self):
        foreign = {"Sec-Fetch-Site": "cross-site"}
        self.assertEqual(self.server.get("/", headers=foreign).status, 200)
        self.assertEqual(self.server.get("/api/v1/info", headers=foreign).code, "cross_origin")
        self.assertEqual(self.server.get("/", headers={"Host": "evil.example"}).code, "bad_host")


class Settings(unittest.TestCase):
    def test_off(self):
        server = rig.Server(flags=("--no-studio",))
        self.addCleanup(server.close)
        self.assertEqual(server.get("/").code, "not_found")

    def test_from_a_folder(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "index.html"), "w") as f:
            f.write("mine")
        server = rig.Server(flags=("--studio-dir", folder))
        self.addCleanup(server.close)
        self.assertEqual(server.get("/").body, b"mine")
        with open(os.path.join(folder, "index.html"), "w") as f:
            f.write("changed")
        self.assertEqual(server.get("/").body, b"changed")


@unittest.skipUnless(HAS_BROWSER, "no chromium, chromedriver or selenium here")
class Browser(rig.ServerTest):
    def open(self, width=1280):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--autoplay-policy=no-user-gesture-required"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.addCleanup(browser.quit)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        browser.get(f"http://127.0.0.1:{self.server.port}/")
        rig.until(lambda: browser.execute_script("return document.querySelectorAll('#voices input').length"), "voices")
        return browser

    def test_a_film_is_made_and_found_again(self):
        browser = self.open()
        run = browser.execute_script
        run("const put = (id, text) => { const e = document.getElementById(id); e.value = text;"
            " e.dispatchEvent(new Event('input', { bubbles: true })); };"
            " put('script', 'Read the lead.'); put('prompt', 'a b c');")
        rig.until(lambda: run("return !document.getElementById('actor').hidden"), "the actor while one types")
        self.assertEqual(self.server.get("/api/v1/slots").json["data"], [])
        run("document.getElementById('make').click()")
        rig.until(lambda: run("return !document.getElementById('result').hidden"), "the film")
        [job] = self.server.get("/api/v1/slots").json["data"]
        there = [job["links"][k] for k in ("film", "audio", "vtt", "srt", "actor", "motion", "report")]
        self.assertEqual(run("return [...document.querySelectorAll('#downloads a')].map(a => a.pathname)"),
                         [link for link in there if link])
        self.assertEqual(run("return [...document.querySelectorAll('#said button')].map(b => b.textContent).join(' ')"),
                         "Read the lead")
        rig.until(lambda: run("return document.querySelectorAll('#films li').length"), "the gallery")
        browser.refresh()
        rig.until(lambda: run("return !document.getElementById('result').hidden"), "the film after a reload")
        run("document.getElementById('again').click()")
        rig.until(lambda: "same bytes" in run("return document.getElementById('facts').textContent"), "the same bytes")
        self.assertEqual([e for e in browser.get_log("browser") if e["level"] == "SEVERE"], [])

    def test_a_phone_is_wide_enough(self):
        run = self.open(360).execute_script
        self.assertLessEqual(run("return document.documentElement.scrollWidth"), 360)


if __name__ == "__main__":
    unittest.main()

// Opens the page of a running slabgate with the library playwright-core, leaves
// pictures of it, and prints what a reader sees as JSON. It judges nothing: the test
// that starts it does.
'use strict';

const path = require('path');
const { chromium } = require('playwright-core');

const [url, executablePath, pictures] = process.argv.slice(2);
const looks = {
  wide: { viewport: { width: 1280, height: 900 } },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  narrow: { viewport: { width: 500, height: 900 } },
  plain: { viewport: { width: 1280, height: 900 }, javaScriptEnabled: false },
};

// open opens the page and notes what goes wrong, and what it asks for elsewhere.
async function open(browser, look) {
  const page = await (await browser.newContext(look)).newPage();
  page.setDefaultTimeout(30000);
  const wrong = [];
  page.on('pageerror', (e) => wrong.push('error: ' + e.message));
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') wrong.push('console: ' + m.text()); });
  page.on('request', (r) => { if (!r.url().startsWith(url) && !r.url().startsWith('data:')) wrong.push('elsewhere: ' + r.url()); });
  await page.goto(url, { waitUntil: 'load' });
  return { page, wrong };
}

// read is the text of every section by its heading, and of the cells of its tables.
async function read(page) {
  const seen = {};
  for (const section of await page.locator('main > section:has(> h2)').all()) {
    const heading = await section.locator('h2').first().evaluate((h) => h.firstChild.textContent.trim());
    seen[heading] = {
      text: await section.innerText(),
      verdict: (await section.locator('.verdict').allInnerTexts()).join(),
      rows: await section.locator('tbody tr').evaluateAll((list) => list.map((r) => [...r.cells].map((c) => c.innerText.trim()))),
      commands: await section.locator('p code').allInnerTexts(),
    };
  }
  return seen;
}

// followed waits for the page to bring itself up to date.
async function followed(page) {
  const before = await page.locator('header time').innerText();
  await page.waitForFunction((was) => document.querySelector('header time').innerText !== was, before);
}

async function main() {
  const browser = await chromium.launch({ executablePath, args: ['--disable-gpu'] });
  try {
    const views = {};
    for (const [name, look] of Object.entries(looks)) {
      const { page, wrong } = await open(browser, look);
      if (look.javaScriptEnabled !== false) {
        await page.waitForSelector('canvas');
        await followed(page);
      }
      await page.screenshot({ path: path.join(pictures, `daemon-${name}.png`), fullPage: true });
      views[name] = {
        title: await page.title(), sections: await read(page), plots: await page.locator('canvas').count(),
        stale: await page.locator('#stale').isVisible(), wrong,
        overflow: await page.locator('body').evaluate((b) => b.scrollWidth - b.clientWidth),
      };
      await page.context().close();
    }
    console.log(JSON.stringify(views));
  } finally {
    await browser.close();
  }
}

main().catch((e) => { console.error(e); process.exit(1); });

// Opens Swagger UI of a running service in headless Chromium: authorises as a person and as a machine, calls an endpoint,
// and leaves pictures in target/e2e. Usage: DEMO_PASSWORD=… node swagger-ui.mjs [http://127.0.0.1:8080]
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const base = process.argv[2] ?? "http://127.0.0.1:8080";
const password = process.env.DEMO_PASSWORD;
const pictures = new URL("../../target/e2e/", import.meta.url).pathname;
mkdirSync(pictures, { recursive: true });

const login = await fetch(`${base}/api/v1/auth/login`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ username: "coordinator", password }),
});
if (!login.ok) throw new Error(`login: ${login.status} ${await login.text()}`);
const { access_token } = await login.json();

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
const faults = [];
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(String(error)));

await page.goto(`${base}/docs/`);
await page.waitForSelector(".opblock-tag");
await page.screenshot({ path: `${pictures}1-overview.png` });

const authorise = async (fill) => {
  await page.click(".btn.authorize");
  await page.waitForSelector(".modal-ux");
  await fill(page.locator(".modal-ux"));
  await page.screenshot({ path: `${pictures}2-authorise.png` });
  await page.locator(".modal-ux .btn-done").first().click();
};
const call = async (operation, picture) => {
  const block = page.locator(`#operations-${operation}`);
  if (!(await block.locator(".opblock-body").count())) await block.locator(".opblock-summary-control").click();
  if (await block.locator(".try-out__btn:not(.cancel)").count()) await block.locator(".try-out__btn").click();
  if (await block.locator(".btn-clear").count()) await block.locator(".btn-clear").click();
  await block.locator(".execute").click();
  const status = block.locator(".live-responses-table tr.response .response-col_status").first();
  await status.waitFor();
  await block.scrollIntoViewIfNeeded();
  await page.waitForTimeout(300);
  await block.locator(".live-responses-table").scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${pictures}${picture}.png` });
  return (await status.textContent()).trim();
};

const expand = async (tag) => page.locator(`#operations-tag-${tag}`).click();
await expand("agencies");
await authorise(async (modal) => {
  const form = modal.locator(".auth-container", { hasText: "bearer" }).first();
  await form.locator("input").fill(access_token);
  await form.locator("button[type=submit]").click();
});
const asPerson = await call("agencies-list_agency_groups", "3-as-coordinator");

await authorise(async (modal) => {
  await modal.locator(".auth-container", { hasText: "bearer" }).first().locator("button", { hasText: "Logout" }).click();
  const form = modal.locator(".auth-container", { hasText: "clientCredentials" }).first();
  await form.locator("#client_id_clientCredentials, #client_id").first().fill("portal");
  await form.locator("#client_secret_clientCredentials, #client_secret").first().fill(password);
  await form.locator("a", { hasText: "select all" }).click();
  for (const scope of ["catalogue:write", "dossiers:write"]) {
    await form.locator(`label[for^="${scope}"]`).first().click();
  }
  await form.locator("button.authorize").click();
  await form.locator("button", { hasText: "Logout" }).waitFor();
});
const asMachine = await call("agencies-list_agency_groups", "4-as-portal");
await browser.close();

console.log({ asPerson, asMachine, faults });
if (asPerson !== "200" || asMachine !== "200" || faults.length) process.exit(1);

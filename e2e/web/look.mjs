// Looks at the demo's browser client: signs in, opens a chat and keeps a picture of it.
//
//   node look.mjs ADDRESS USER PASSWORD "Room title" PICTURE.png
//
// Uses Debian's Chromium; CHROMIUM names another one.
import { chromium } from "playwright-core";

const [address, user, password, room, picture] = process.argv.slice(2);
if (!picture) {
	console.error('usage: node look.mjs ADDRESS USER PASSWORD "Room title" PICTURE.png');
	process.exit(2);
}
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
try {
	const page = await browser.newPage({ viewport: { width: 1100, height: 720 }, deviceScaleFactor: 1.5 });
	const problems = [];
	page.on("pageerror", (error) => problems.push(error.message));
	await page.goto(address);
	await page.locator("#username").fill(user);
	await page.locator("#password").fill(password);
	await page.locator("button[type=submit]").first().click();
	const entry = page.locator(".RoomList li, .LeftPanel li").filter({ hasText: room }).first();
	await entry.click({ timeout: 60_000 });
	await page.locator(".Timeline_messageBody").first().waitFor({ timeout: 60_000 });
	await page.evaluate(() => document.fonts.ready);
	await page.waitForLoadState("networkidle", { timeout: 3000 }).catch(() => {}); // a long poll never rests
	await page.screenshot({ path: picture });
	const texts = await page.locator(".Timeline_messageBody").allInnerTexts();
	console.log(texts.join("\n"));
	if (problems.length) {
		throw new Error(problems.join("\n"));
	}
} finally {
	await browser.close();
}

// The demo's browser client: the whole of Hydrogen, put together from its SDK. The homeserver's address
// is not known when this is built; the demo serves it as config.json.
import { FeatureSet, Platform, RootViewModel, createNavigation, createRouter } from "hydrogen-view-sdk";

const container = document.querySelector("#app");
const platform = new Platform({
	container,
	// build.mjs copies these beside the page.
	assetPaths: { downloadSandbox: "download-sandbox.html", worker: "worker.js", serviceWorker: "sw.js" },
	configURL: "config.json",
	options: { development: false },
});

async function start() {
	await platform.init();
	const navigation = createNavigation();
	platform.setNavigation(navigation);
	const urlRouter = createRouter({ navigation, history: platform.history });
	urlRouter.attach();
	const features = await FeatureSet.load(platform.settingsStorage);
	const root = new RootViewModel({ platform, features, urlCreator: urlRouter, urlRouter, navigation });
	await root.load();
	platform.createAndMountRootView(root);
}

start().catch((error) => {
	container.textContent = `The client cannot start: ${error.message}`;
});

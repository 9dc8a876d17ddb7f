// The demo's browser client: the whole of Hydrogen, put together from its SDK. The homeserver's address
// is not known when this is built; the demo serves it as config.json.
import { FeatureSet, Platform, RootViewModel, createNavigation, createRouter } from "hydrogen-view-sdk";
import downloadSandbox from "hydrogen-view-sdk/download-sandbox.html?url";
import worker from "hydrogen-view-sdk/main.js?url";
import "hydrogen-view-sdk/assets/theme-element-light.css";

const container = document.querySelector("#app");
const platform = new Platform({
	container,
	assetPaths: { downloadSandbox, worker, serviceWorker: "sw.js" },
	configURL: "config.json",
	options: { development: import.meta.env.DEV },
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

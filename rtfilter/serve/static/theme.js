/** Dark, light, or as the system says. */

import { element } from "./dom.js";
import { remember, settings } from "./settings.js";

const ORDER = /** @type {const} */ (["auto", "light", "dark"]);

export function followTheme() {
  const button = element("theme", HTMLButtonElement);
  const apply = () => {
    if (settings.theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = settings.theme;
    button.textContent = `Theme: ${settings.theme}`;
  };
  button.addEventListener("click", () => {
    remember({ theme: ORDER[(ORDER.indexOf(settings.theme) + 1) % ORDER.length] });
    apply();
  });
  apply();
}

// Swagger UI leaves its lists unnamed and its examples out of the keyboard's reach.

"use strict";

(() => {
  const page = document.getElementById("swagger-ui");

  const name = (list) => {
    const parameter = list.closest("[data-param-name]");
    const kind = list.matches(".examples-select-element") ? "Example" : "Media type";
    list.setAttribute("aria-label", parameter ? parameter.dataset.paramName : kind);
  };

  const mend = () => {
    page.querySelectorAll("select:not([aria-label])").forEach(name);
    page.querySelectorAll("pre:not([tabindex])").forEach((example) => { example.tabIndex = 0; });
  };

  new MutationObserver(mend).observe(page, { childList: true, subtree: true });
})();

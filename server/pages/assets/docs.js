// @ts-check

const dark = matchMedia('(prefers-color-scheme: dark)');

function followScheme() {
  document.documentElement.classList.toggle('dark-mode', dark.matches);
}

dark.addEventListener('change', followScheme);
followScheme();

// The bundle is a classic script, so what it defines is global.
const SwaggerUI = Reflect.get(globalThis, 'SwaggerUIBundle');

SwaggerUI({
  url: '/api/v1/openapi.json',
  dom_id: '#documents',
  presets: [SwaggerUI.presets.apis],
  layout: 'BaseLayout',
  validatorUrl: null, // the badge would send the document's address to another server
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});

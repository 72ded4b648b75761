// @ts-check

/** The commands name the address that this page was asked by, so that they work as they stand. */
function nameOrigin() {
  for (const span of document.querySelectorAll('[data-origin]')) {
    const isSocket = span.getAttribute('data-origin') === 'ws';
    span.textContent = isSocket ? location.origin.replace(/^http/, 'ws') : location.origin;
  }
}

function offerCopies() {
  for (const button of document.querySelectorAll('button[data-copies]')) {
    const source = document.getElementById(button.getAttribute('data-copies') ?? '');
    button.addEventListener('click', async () => {
      button.textContent = await copy(source?.textContent ?? '');
      setTimeout(() => {
        button.textContent = 'Copy';
      }, 1500);
    });
  }
}

/**
 * Browsers lend the clipboard to encrypted pages and localhost only.
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied';
  } catch {
    return 'Select it by hand';
  }
}

/** Says whether the server takes requests, and since when. */
async function showStatus() {
  const status = document.getElementById('status');
  if (!status) return;
  try {
    const [health, ready] = await Promise.all([fetch('/api/v1/health'), fetch('/api/v1/health/ready')]);
    const { version, uptime_seconds } = await health.json();
    status.dataset.state = ready.ok ? 'good' : 'bad';
    status.textContent = `${ready.ok ? 'Ready' : 'Not ready'} · version ${version} · up ${span(uptime_seconds)}`;
  } catch {
    status.dataset.state = 'bad';
    status.textContent = 'The server cannot be reached';
  }
}

/** @param {number} seconds */
function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

nameOrigin();
offerCopies();
void showStatus();
setInterval(showStatus, 10_000);

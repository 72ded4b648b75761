import './styles/tokens.css';
import './styles/base.css';
import './start.ts';
import { mount } from 'svelte';
import App from './App.svelte';
import { attention } from './state/attention.svelte.ts';
import { devices } from './state/devices.svelte.ts';
import { dialogs } from './state/dialogs.svelte.ts';
import { drafts } from './state/drafts.svelte.ts';
import { email } from './state/email.svelte.ts';
import { factor } from './state/factor.svelte.ts';
import { notifications } from './state/notifications.svelte.ts';
import { reauthentication } from './state/reauthentication.svelte.ts';
import { router } from './state/router.svelte.ts';
import { toasts } from './state/toasts.svelte.ts';
import { update } from './state/update.svelte.ts';
import { strings } from './strings.ts';

document.documentElement.lang = strings.language;
document.documentElement.dir = strings.direction;

for (const part of [
  attention,
  devices,
  dialogs,
  drafts,
  email,
  factor,
  notifications,
  reauthentication,
  router,
  toasts,
])
  part.watch();
mount(App, { target: document.getElementById('app')! });
// Not before the client itself has what it needs.
addEventListener('load', () => void update.watch());

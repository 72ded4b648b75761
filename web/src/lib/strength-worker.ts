import { dictionary, adjacencyGraphs as graphs } from '@zxcvbn-ts/language-common';
import { PasswordStrength, type Question, type Strength } from './password-strength.ts';

/**
 * The word lists take memory and time to make ready: in a thread of their own, typing does not wait for them, and both are
 * given back with it.
 */

interface Scope {
  postMessage(strength: Strength): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<Question>) => void): void;
}

const scope = globalThis as unknown as Scope;
const strength = new PasswordStrength({ dictionary, graphs });

scope.addEventListener('message', ({ data }) => scope.postMessage(strength.of(data)));

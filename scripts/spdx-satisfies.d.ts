declare module 'spdx-satisfies' {
  /** Whether one of the allowed licences meets an expression of SPDX. Throws where `expression` is none. */
  export default function satisfies(expression: string, allowed: string[]): boolean;
}

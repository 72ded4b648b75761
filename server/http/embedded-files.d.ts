// Files that are imported `with { type: 'file' }` are paths, inside a compiled executable too; `with { type: 'text' }`
// they are their text. Either is a string.

declare module './assets/*' {
  const pathOrText: string;
  export default pathOrText;
}

declare module 'uplot/dist/*' {
  const path: string;
  export default path;
}

declare module 'swagger-ui-dist/*' {
  const path: string;
  export default path;
}

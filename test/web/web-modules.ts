// Modules of the pages that need no browser, as they are served: they are plain JavaScript, so their types stand here.
// Must not know a test.

/** A module of lib/web/judge. */
export async function judgeModule<Module>(name: string): Promise<Module> {
  return (await import(new URL(`../../lib/web/judge/${name}.js`, import.meta.url).href)) as Module;
}

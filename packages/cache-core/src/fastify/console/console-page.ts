import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/** The folder of the console's style and scripts; it is in the package, beside `src` and `dist`. */
const FOLDER = new URL('../../../console/', import.meta.url)
const SCRIPTS = ['elements.js', 'formats.js', 'sections.js', 'chart.js', 'live.js', 'now.js', 'rollout.js']

/** The page of the console, and the Content-Security-Policy that allows its own style and scripts and nothing else. */
export interface RenderedPage { readonly html: string; readonly policy: string }

/**
 * The page that `GET /internal/cache` sends to a browser: one document with its style and scripts, which ask for JSON of the same origin.
 * It holds no number and no name of the app, so it is the same for each request.
 */
export class ConsolePage {
  readonly #scripts = SCRIPTS.map((name) => new URL(name, FOLDER))
  #rendered: Promise<RenderedPage> | undefined

  /** Adds scripts of a sibling package, which add their sections by `globalThis.cacheConsole`; they run after the scripts of the core. */
  add (...scripts: URL[]): void {
    this.#scripts.push(...scripts)
    this.#rendered = undefined
  }

  /** Returns the page. Rejects if a file cannot be read, as in an app that a bundler has joined to one file. */
  async render (): Promise<RenderedPage> {
    const rendered = (this.#rendered ??= this.#render())
    try {
      return await rendered
    } catch (error) {
      if (this.#rendered === rendered) this.#rendered = undefined
      throw error
    }
  }

  async #render (): Promise<RenderedPage> {
    const [style, ...scripts] = await Promise.all([new URL('console.css', FOLDER), ...this.#scripts].map((file) => readFile(file, 'utf8')))
    return { html: pageOf(style!, scripts), policy: policyOf(style!, scripts) }
  }
}

function policyOf (style: string, scripts: readonly string[]): string {
  return [
    "default-src 'none'",
    `style-src ${sourceOf(style)}`,
    `script-src ${scripts.map(sourceOf).join(' ')}`,
    "connect-src 'self'",
    // The page links an empty icon as `data:`, so that a browser does not request /favicon.ico.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; ')
}

/** The source expression of an inline style or script: the hash of its text. */
function sourceOf (text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

function pageOf (style: string, scripts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Cache console</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header>
<h1>Cache console</h1>
<button type="button" id="pause" aria-pressed="false">Pause updates</button>
<nav aria-label="Sections"><ul></ul></nav>
<p id="message" role="alert"></p>
<p id="news" class="hidden-text" aria-live="polite"></p>
</header>
<main>
<noscript><p>This page needs JavaScript. The same numbers are JSON: this path and the paths <code>counts</code>, <code>rollout</code> and <code>advice</code> below it.</p></noscript>
</main>
${scripts.map((script) => `<script type="module">${script}</script>`).join('\n')}
</body>
</html>
`
}

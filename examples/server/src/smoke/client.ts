import assert from 'node:assert/strict'

/** The parts of a request besides its method and path. */
export interface Ask { body?: unknown; user?: number; status?: number }

/** Sends requests to the server under test; each method throws unless the response has the expected status (default 200). */
export class Client {
  constructor (readonly url: string) {}

  async get (path: string, ask: Ask = {}): Promise<any> {
    return this.json('GET', path, ask)
  }

  async json (method: string, path: string, ask: Ask = {}): Promise<any> {
    const response = await this.#send(method, path, ask)
    if (response.status === 204) return undefined
    assert.match(response.headers.get('content-type') ?? '', /^application\/json\b/, 'content-type')
    return response.json()
  }

  /** Returns the text of a page, whose content type must match `type`. */
  async text (path: string, type: RegExp): Promise<string> {
    const response = await this.#send('GET', path, {})
    assert.match(response.headers.get('content-type') ?? '', type, 'content-type')
    return response.text()
  }

  async #send (method: string, path: string, { body, user, status = 200 }: Ask): Promise<Response> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...body === undefined ? {} : { 'content-type': 'application/json' },
        ...user === undefined ? {} : { 'x-user-id': String(user) }
      },
      ...body === undefined ? {} : { body: JSON.stringify(body) }
    })
    if (response.status !== status) assert.fail(`${method} ${path}: ${response.status} instead of ${status}: ${await response.text()}`)
    return response
  }
}

/** Simulates a database, with a loader whose calls the cache saves, and a write after which the app invalidates. */
export interface Article { id: string; title: string }

const articles = new Map<string, Article>([['1', { id: '1', title: 'First' }], ['2', { id: '2', title: 'Second' }]])

export async function findArticle (id: string): Promise<Article | null> {
  await new Promise((resolve) => { setTimeout(resolve, 5) })
  return articles.get(id) ?? null
}

export async function saveArticle (article: Article): Promise<Article> {
  articles.set(article.id, article)
  return article
}

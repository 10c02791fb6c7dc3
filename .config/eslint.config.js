import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, noJsx: true, ignores: ['**/dist', '**/.tap'] }),
  {
    // Import attributes, which neostandard's own version does not parse.
    files: ['**/*.js'],
    languageOptions: { ecmaVersion: 2025 }
  },
  {
    // The scripts of the console run in a browser.
    files: ['packages/cache-*/console/*.js'],
    languageOptions: { globals: { document: 'readonly', fetch: 'readonly', location: 'readonly', Node: 'readonly' } }
  },
  {
    files: ['**/*.ts', '**/*.js'],
    rules: {
      // "void promise" says that it is deliberately not awaited.
      'no-void': ['error', { allowAsStatement: true }]
    }
  },
  {
    files: ['**/*.ts'],
    rules: {
      // A TypeBox schema and its type share one name; the compiler reports the redeclarations that are mistakes.
      '@typescript-eslint/no-redeclare': 'off',
      // Does not see that a callback changes the condition while the loop waits.
      'no-unmodified-loop-condition': 'off'
    }
  },
  {
    // Code; a text that is longer stands on one line, where it can be found.
    files: ['packages/cache-{core,edge,metrics,redis}/{src,test}/**/*.ts', 'packages/test-kit/src/**/*.ts'],
    rules: {
      '@stylistic/max-len': ['error', {
        code: 140, ignoreComments: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreUrls: true
      }]
    }
  }
]

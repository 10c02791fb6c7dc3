// The example under pm2: `npm run build`, then `pm2 start examples/server/ecosystem.config.cjs`.
const shared = { cwd: __dirname, kill_timeout: 15_000 }

module.exports = {
  apps: [
    { ...shared, name: 'database', script: 'dist/database/main.js', env: { DATABASE_PORT: '8901' } },
    {
      ...shared,
      name: 'app',
      script: 'dist/server.js',
      exec_mode: 'cluster',
      instances: 2,
      env: { PORT: '8900', WORKER_PORT: 9400, DATABASE_HOST: '127.0.0.1', DATABASE_PORT: '8901', CACHE_IMPL: 'redis' },
      // 9400, 9401, …: each worker is a target of its own for Prometheus and for cache-advisor.
      increment_var: 'WORKER_PORT'
    }
  ]
}

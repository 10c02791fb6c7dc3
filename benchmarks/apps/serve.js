// A child process that serves one of the apps in this folder. Arguments: the name of the app, then the arguments of its `start`. It sends
// the port to its parent.
const [app, ...args] = process.argv.slice(2)
const { start } = await import(`./${app}.js`)
process.send(await start(...args))

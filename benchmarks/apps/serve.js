// Child process: serves an app of this folder. Arguments: its name, and the arguments of its `start`. Sends the port.
const [app, ...args] = process.argv.slice(2)
const { start } = await import(`./${app}.js`)
process.send(await start(...args))

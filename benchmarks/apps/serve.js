// Child process: serves an app of this folder. Arguments: its name, and the arguments of its `start`. Sends the port.
const [, , name, ...args] = process.argv
const { start } = await import(`./${name}.js`)
process.send(await start(...args))

import { runScript } from './run-script.js'

await runScript('lint: the code keeps the style, awaits its promises, and has no import cycle', 'lint')

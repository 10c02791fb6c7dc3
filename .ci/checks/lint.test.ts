import { runScript } from './run-script.js'

await runScript('eslint: the code keeps the style', 'lint')

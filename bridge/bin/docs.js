import { writeFileSync } from 'node:fs';
import { generatedPages } from '../dist/cli/docs.js';

for (const [name, text] of generatedPages()) {
  writeFileSync(new URL(`../../docs/${name}`, import.meta.url), text);
}

#!/usr/bin/env node
import { main } from '../dist/assemble.js';

await main();

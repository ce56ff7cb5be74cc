import { Command } from 'commander';
import { writeProfileConfig } from '../../config/init.ts';
import { settingsJsonSchema } from '../../config/settings.ts';
import { EXIT_OK } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { table } from '../text.ts';

/** Everything about the configuration; only `check --connect` contacts anything. */
export function configCommand(cli: Cli): Command {
  return new Command('config')
    .description('print, check, describe or write the configuration')
    .addCommand(printCommand(cli))
    .addCommand(checkCommand(cli))
    .addCommand(schemaCommand(cli))
    .addCommand(initCommand(cli));
}

function printCommand(cli: Cli): Command {
  const command = new Command('print').description('print each effective value with its source');
  return define(cli, command, { once: true }, async (session) => {
    const rows = effective(session);
    if (session.json) {
      const members = rows.map(({ path, value, source }) => [path, { value, source }]);
      session.print(JSON.stringify(Object.fromEntries(members)));
      return EXIT_OK;
    }
    const cells = rows.map(({ path, value, source }) => [path, shown(value), source]);
    for (const line of table([['SETTING', 'VALUE', 'SOURCE'], ...cells])) {
      session.print(line);
    }
    return EXIT_OK;
  });
}

function checkCommand(cli: Cli): Command {
  const command = new Command('check')
    .description('check the configuration and read the files that it names')
    .option('--connect', 'ask Kafka and the peer too');
  return define(cli, command, { once: true }, async (session) => {
    const checks = await session.shuttle().check(session.options.connect === true);
    if (session.json) {
      session.print(JSON.stringify({ ok: true, checks }));
    } else {
      const rows = checks.map(({ name, detail }) => ['ok', name, detail]);
      table(rows).forEach(session.print);
    }
    return EXIT_OK;
  });
}

function schemaCommand(cli: Cli): Command {
  const command = new Command('schema').description(
    'print the JSON Schema of a configuration file, for editors',
  );
  return define(cli, command, { once: true }, async (session) => {
    session.print(JSON.stringify(settingsJsonSchema(), null, 2));
    return EXIT_OK;
  });
}

function initCommand(cli: Cli): Command {
  const command = new Command('init')
    .description('write a configuration for an existing network')
    .requiredOption('--profile <file>', 'connection profile of your organisation')
    .option('--identity <msp folder>', 'MSP folder of the user to sign as')
    .option('--output <file>', 'file to write (default: shuttle.yaml)')
    .option('--force', 'replace the file if it is there');
  return define(cli, command, { once: true }, async (session) => {
    const { options, io, loaded } = session;
    const path = await writeProfileConfig({
      cwd: io.cwd,
      profile: options.profile as string,
      identity: options.identity as string | undefined,
      output: (options.output as string | undefined) ?? 'shuttle.yaml',
      force: options.force === true,
      given: loaded,
    });
    session.print(
      session.json
        ? JSON.stringify({ file: path })
        : `Wrote ${path}. Check it with: shuttle config check --connect`,
    );
    return EXIT_OK;
  });
}

/** No setting holds a secret: they are named by file, and the files are not shown. */
function effective({ loaded }: Session) {
  return [...loaded.sources].map(([path, source]) => ({
    path,
    value: valueAt(loaded, path),
    source,
  }));
}

function valueAt({ settings }: Session['loaded'], path: string): unknown {
  let value: unknown = settings;
  for (const name of path.split('.')) {
    value = (value as Record<string, unknown>)[name];
  }
  return value ?? null;
}

function shown(value: unknown): string {
  if (value === null || value === '') {
    return '-';
  }
  if (typeof value === 'string') {
    return value;
  }
  return Array.isArray(value) ? value.join(',') || '-' : JSON.stringify(value);
}

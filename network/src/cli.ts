import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type ChaincodeOptions, inspectChaincode, writePackage } from './chaincode-package.ts';
import { channelHeights, describeNetwork } from './describe.ts';
import { down } from './down.ts';
import { asNetworkError, NetworkError, renderError } from './errors.ts';
import { createLayout, networkDir } from './layout.ts';
import { printLogs } from './logs.ts';
import { deploy } from './network.ts';
import { adminEnvironment } from './node-environment.ts';
import {
  BLOCK_TIMEOUT_MS_MAX,
  BLOCK_TRANSACTIONS_MAX,
  PORT_OFFSET_MAX,
  type TopologyOptions,
} from './options.ts';
import { createProgress } from './progress.ts';
import { checkRequirements, requireAll } from './requirements.ts';
import { readState } from './state.ts';
import { endpointsTable } from './table.ts';
import { ensureTools } from './tools.ts';
import { createTopology } from './topology.ts';
import { OWN_CHAINCODE, prepare, up } from './up.ts';

const out = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const json = (value: unknown): void => out(JSON.stringify(value, undefined, 2));
const seconds = (ms: number): string => (ms / 1000).toFixed(1);

interface DirFlag {
  readonly dir?: string;
}

interface ChaincodeFlags {
  readonly chaincode?: string;
  readonly chaincodeName?: string;
  readonly chaincodeVersion?: string;
  readonly label?: string;
  readonly policy?: string;
  readonly sequence?: number;
}

function integer(minimum: number, maximum: number) {
  return (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`It is a whole number from ${minimum} to ${maximum}.`);
  };
}

function withDir(command: Command): Command {
  const text = 'folder of the network (default: $SHUTTLE_NETWORK_DIR or ./.shuttle-network)';
  return command.option('--dir <folder>', text);
}

function withChaincode(command: Command): Command {
  return command
    .option('--chaincode <folder>', "built chaincode (default: Shuttle's own)")
    .option('--chaincode-name <name>', 'its name on the channel (default: shuttle)')
    .option('--chaincode-version <version>', "default: its package.json's version")
    .option('--label <label>', 'label of the package (default: name_version)')
    .option('--policy <policy>', "signature policy (default: the channel's majority)");
}

function chaincodeOptions(flags: ChaincodeFlags): ChaincodeOptions {
  const { chaincodeVersion: version, label, policy, sequence } = flags;
  return {
    folder: flags.chaincode ?? OWN_CHAINCODE,
    name: flags.chaincodeName ?? 'shuttle',
    ...(version === undefined ? {} : { version }),
    ...(label === undefined ? {} : { label }),
    ...(policy === undefined ? {} : { policy }),
    ...(sequence === undefined ? {} : { sequence }),
  };
}

/** True if anything was said about the chaincode. */
function namesChaincode(flags: ChaincodeFlags): boolean {
  const { chaincode, chaincodeName, chaincodeVersion, label, policy } = flags;
  return [chaincode, chaincodeName, chaincodeVersion, label, policy].some(
    (each) => each !== undefined,
  );
}

interface UpFlags extends DirFlag, ChaincodeFlags, Partial<TopologyOptions> {
  readonly blockTimeout?: number;
  readonly deploy: boolean;
  readonly json?: boolean;
}

function addUp(program: Command): void {
  const command = program.command('up').description('bring the network up, resume or mend it');
  withChaincode(withDir(command))
    .option('--profile <name>', 'ordering service: raft or bft (default: raft)')
    .option('--orderers <number>', 'ordering nodes: 1 or 3 with raft, 4 with bft', integer(1, 4))
    .option('--brokers <number>', 'Kafka nodes: 1 or 3', integer(1, 3))
    .option('--channel <name>', 'default: mychannel')
    .option(
      '--block-transactions <number>',
      'cut a block at so many (default: 500)',
      integer(1, BLOCK_TRANSACTIONS_MAX),
    )
    .option(
      '--block-timeout <ms>',
      'cut a block after so long (default: 200)',
      integer(1, BLOCK_TIMEOUT_MS_MAX),
    )
    .option('--port-offset <number>', 'added to every port', integer(0, PORT_OFFSET_MAX))
    .option('--pprof', "serve Go's profiler on peers and orderers")
    .option('--kafka-secure', 'add SSL and SASL_SSL listeners')
    .option('--kafka-proxied', 'add a listener that is advertised at a fault proxy')
    .option('--no-deploy', 'leave the chaincode out')
    .option('--json', 'print the result as JSON')
    .action(async (flags: UpFlags) => {
      const { dir, profile, orderers, brokers, channel, portOffset, pprof } = flags;
      const { kafkaSecure, kafkaProxied, blockTransactions, blockTimeout } = flags;
      const blocks = { blockTransactions, blockTimeoutMs: blockTimeout };
      const topology = { profile, orderers, brokers, channel, portOffset, pprof };
      const given = { ...topology, ...blocks, kafkaSecure, kafkaProxied };
      const named = Object.entries(given).filter(([, value]) => value !== undefined);
      const chaincode = namesChaincode(flags) ? chaincodeOptions(flags) : undefined;
      const result = await up({
        ...(dir === undefined ? {} : { dir }),
        ...(Object.fromEntries(named) as Partial<TopologyOptions>),
        ...(flags.deploy ? {} : { chaincode: false }),
        ...(flags.deploy && chaincode !== undefined ? { chaincode } : {}),
        progress: createProgress(process.stderr),
      });
      const description = await describeNetwork(result.dir);
      if (flags.json === true) return json({ ...result, network: description });
      for (const { name, version, sequence, outcome } of result.deployed) {
        out(`Chaincode ${name} ${version}, sequence ${sequence}: ${outcome}.`);
      }
      out(endpointsTable(description, await channelHeights(description)));
      out(`Ready in ${seconds(result.elapsedMs)} s. Stop it with: shuttle-network down`);
    });
}

function addPrepare(program: Command): void {
  const text = 'make identities and the channel for docker-compose.yml, start nothing';
  withDir(program.command('prepare').description(text)).action(async (flags: DirFlag) => {
    const dir = await prepare({ ...flags, progress: createProgress(process.stderr) });
    out(`Made identities and the channel in ${dir}.`);
  });
}

function addDown(program: Command): void {
  withDir(program.command('down').description('stop the network; its data stays'))
    .option('--delete', 'also remove identities, ledgers, topics and logs')
    .action(async (flags: DirFlag & { readonly delete?: boolean }) => {
      const result = await down({ ...flags, progress: createProgress(process.stderr) });
      const processes = result.stopped === 1 ? '1 process' : `${result.stopped} processes`;
      const data = result.deleted ? 'Its data is removed.' : 'Its data stays; `up` resumes it.';
      out(`Stopped ${processes} of the network in ${result.dir}. ${data}`);
    });
}

function addStatus(program: Command): void {
  withDir(program.command('status').description('what runs, and where'))
    .option('--json', 'print it as JSON')
    .action(async (flags: DirFlag & { readonly json?: boolean }) => {
      const description = await describeNetwork(flags.dir);
      const heights = await channelHeights(description);
      if (flags.json === true) json({ ...description, heights });
      else out(endpointsTable(description, heights));
      const missing = description.processes.filter(({ status }) => status !== 'running');
      if (missing.length === 0) return;
      const names = missing.map(({ name, status }) => `${name} (${status})`).join(', ');
      throw new NetworkError('NOT_READY', `Not running: ${names}.`, {
        help: 'Run `shuttle-network up`.',
      });
    });
}

function addLogs(program: Command): void {
  withDir(program.command('logs').description('print the logs'))
    .argument('[name]', 'one process; all of them when left out')
    .option('-f, --follow', 'go on with what is added')
    .option('-n, --lines <number>', 'last lines of each', integer(0, 1_000_000), 20)
    .action(async (name: string | undefined, flags: DirFlag & { follow?: true; lines: number }) => {
      const description = await describeNetwork(flags.dir);
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const chosen = name === undefined ? {} : { name };
      const follow = flags.follow === true ? { follow: stop.signal } : {};
      await printLogs(description, { ...chosen, lines: flags.lines, ...follow }, process.stdout);
    });
}

function addDeploy(program: Command): void {
  const command = program.command('deploy').description('deploy or upgrade a chaincode');
  withChaincode(withDir(command))
    .option('--sequence <number>', 'default: the next one if it changed', integer(1, 1_000_000))
    .option('--json', 'print the result as JSON')
    .action(async (flags: DirFlag & ChaincodeFlags & { readonly json?: boolean }) => {
      const progress = createProgress(process.stderr);
      const result = await deploy(flags.dir, chaincodeOptions(flags), progress);
      if (flags.json === true) return json(result);
      const { name, version, sequence, outcome } = result;
      out(`Chaincode ${name} ${version}, sequence ${sequence}: ${outcome}.`);
    });
}

function addPackage(program: Command): void {
  const command = program.command('package').description('write a chaincode-as-a-service package');
  withChaincode(command)
    .option('--address <host:port>', 'where the peer finds the chaincode', '127.0.0.1:9999')
    .option('--output <file>', 'default: <label>.tar.gz')
    .action(async (flags: ChaincodeFlags & { address: string; output?: string }) => {
      const source = await inspectChaincode(chaincodeOptions(flags));
      const file = flags.output ?? join(process.cwd(), `${source.label}.tar.gz`);
      const id = await writePackage(source, flags.address, file);
      out(`Wrote ${file}\nPackage id ${id}`);
    });
}

function addTools(program: Command): void {
  program
    .command('requirements')
    .description('check that Node.js, Go, JDK and Maven are there')
    .action(async () => {
      for (const { name, found, minimum } of await checkRequirements()) {
        out(`${name}: ${found ?? 'not found'} (needed: ${minimum} or newer)`);
      }
      await requireAll();
    });
  program
    .command('tools')
    .description("build Fabric's commands and fetch Kafka, unless that is done")
    .action(async () => {
      const tools = await ensureTools(createProgress(process.stderr));
      out(`Fabric: ${tools.fabric}\nKafka: ${tools.kafka}`);
    });
  withDir(program.command('env').description("print shell settings for Fabric's own commands"))
    .argument('[org]', 'org1 or org2', 'org1')
    .action(async (org: string, flags: DirFlag) => {
      const layout = createLayout(networkDir(flags.dir));
      const { options } = await describeNetwork(flags.dir);
      const peer = createTopology(options).peers.find((each) => each.org.name === org);
      const tools = (await readState(layout))?.tools;
      if (peer === undefined || tools === undefined) {
        throw new NetworkError('USAGE', `There is no organisation ${org}, only org1 and org2.`);
      }
      const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
      for (const [name, value] of Object.entries(adminEnvironment(peer, layout))) {
        out(`export ${name}=${quote(value)}`);
      }
      out(`export PATH=${quote(join(tools.fabric, 'bin'))}:"$PATH"`);
    });
}

/** Builds the command line; separate from running it, so that its help can be tested. */
function createProgram(): Command {
  const program = new Command('shuttle-network')
    .description('A real Fabric network and a real Kafka broker on this machine, without Docker')
    .showHelpAfterError();
  for (const add of [
    addUp,
    addDown,
    addStatus,
    addLogs,
    addDeploy,
    addPackage,
    addTools,
    addPrepare,
  ]) {
    add(program);
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
  }
  return program;
}

try {
  await createProgram().parseAsync();
} catch (thrown) {
  const error = asNetworkError(thrown);
  process.stderr.write(`${renderError(error)}\n`);
  process.exitCode = error.exitCode;
}

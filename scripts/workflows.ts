/** Checks the workflows of .github against GitHub's own schema of them. Ends with 1 where one is wrong. */
import { readdirSync, readFileSync } from 'node:fs';
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser';

const FOLDER = '.github/workflows';

const files = readdirSync(FOLDER).map((name) => `${FOLDER}/${name}`);
for (const name of files) {
  const { context, value } = parseWorkflow({ name, content: readFileSync(name, 'utf8') }, new NoOperationTraceWriter());
  if (value) await convertWorkflowTemplate(context, value);
  const faults = context.errors.getErrors();
  for (const { message } of faults) console.error(message);
  if (!value || faults.length > 0) process.exitCode = 1;
}
if (process.exitCode !== 1) process.stdout.write(`workflows: ${files.length}, all by the schema\n`);

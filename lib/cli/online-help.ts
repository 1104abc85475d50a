// What the help of ppo, rloo, grpo and online-dpo says alike: rows, rewards, and how to see that a reward is exploited.
// Text only.

export const onlineRows = `
Rows (one JSON object per line; text, or messages where the model has a chat template; answers in a row are left aside):
  {"prompt": "…"}                         further columns reach reward functions as sample.metadata

What scores the answers (one or several; their weighted sum is the reward):
  --reward-model runs/reward/model        a model that attune reward trained
  --reward-function rewards.mjs            a module of yours (FILE, or FILE#name):
      export default function polite(samples) {
        return samples.map(({ text }) => (text.includes("please") ? 1 : 0));
      }                                   samples have prompt, text, finish, metadata; null: no reward; async works too`;

export const onlineWatch = `  --eval-data with --gold-model or --gold-function measures on prompts and rewards that are never trained on: a reward that rises
  while gold falls is being exploited, and an ALARM says so (--stop-on, --stop-rule end the run).`;

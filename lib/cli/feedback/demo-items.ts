// Questions to a corner shop and what three models answer: the demo's items. Written for it; alpha is the best of the models,
// gamma the worst. Data only.

/** A question as a customer puts it, or a conversation, with an answer of each model that was asked. */
export interface DemoQuestion {
  readonly prompt: string | readonly { readonly role: string; readonly content: string }[];
  readonly alpha?: string;
  readonly beta?: string;
  readonly gamma?: string;
  /** What is asked of it. Default "pair". */
  readonly ask?: "ranking" | "rating" | "thumb" | "edit";
  /** Nobody who reads it would say otherwise: now and then it is asked to see whether people look. */
  readonly gold?: true;
}

export const demoGuidelines = `You work for a corner shop that answers customers in a chat. Which answer would you rather have got?

- **Right and useful first**: does it answer what was asked?
- Then **friendly and short**: a shop has little time, and so has the customer.
- Prices, opening hours and the like are the shop's own: take them as given.
- If both are equally good or bad, say so. If you cannot tell at all, skip it.`;

export const demoQuestions: readonly DemoQuestion[] = [
  {
    prompt: "Do you have oat milk?",
    alpha:
      "Yes, two kinds: the plain one for 1.99 and the barista one for 2.49. Both are in the fridge by the door.",
    gamma: "We have milk.",
  },
  {
    prompt: "When do you close today?",
    alpha: "At eight this evening. If you call before, we keep something ready for you a little longer.",
    beta: "We close at 20:00.",
  },
  {
    prompt: "My bread from this morning is mouldy. What now?",
    alpha: "I am sorry! Bring it by, or send a photo: you get a fresh loaf or your money back, as you like.",
    gamma: "Bread can get mouldy. That happens.",
  },
  {
    prompt: "Can I pay by card?",
    beta: "Yes, card payment is possible.",
    gamma: "Payment is required for all goods that are sold by the shop.",
  },
  {
    prompt: "Which apples are good for a pie?",
    alpha: "Take Boskoop: sour, firm, and they keep their shape. Six of them make a pie; a pound is 1.80.",
    beta: "Boskoop or another sour apple works well for a pie.",
  },
  {
    prompt: "Is the cheese vegetarian?",
    alpha: "The Gouda is: its rennet is microbial. The Parmesan is not.",
    gamma: "Cheese is made from milk, so yes, all cheese is always vegetarian.",
  },
  {
    prompt: "Could you deliver a crate of water to the third floor?",
    alpha: "Gladly. Delivery is 3.00, upstairs too. Would this afternoon between four and six suit you?",
    beta: "We can deliver water. It costs 3.00.",
  },
  {
    prompt: "What is five plus seven?",
    alpha: "Twelve.",
    gamma: "Fifty-seven.",
    gold: true,
  },
  {
    prompt: "I need something warm to eat in ten minutes.",
    beta: "We have soup.",
    gamma:
      "There are many warm dishes in the world, for example stew, roast, and dumplings, which take about two hours.",
  },
  {
    prompt: "Do you sell stamps?",
    alpha:
      "Yes, for letters and postcards, at the till. Parcels go to the post office two doors down, until six.",
    beta: "Yes, we sell stamps at the till.",
  },
  {
    prompt: [
      { role: "user", content: "Hi, did the new coffee come in?" },
      { role: "assistant", content: "Yes, this morning: a mild one from Peru and a dark one from Sumatra." },
      { role: "user", content: "Which one for an espresso machine?" },
    ],
    alpha: "The dark one from Sumatra. We can grind it for you, fine enough for espresso.",
    gamma: "Both are coffee, and coffee goes into coffee machines.",
  },
  {
    prompt: "How do I know whether an egg is still good?",
    alpha:
      "Put it into a glass of water: if it lies flat it is fresh, if it stands up use it soon, if it floats throw it away.",
    beta: "Put it in water. Bad eggs float.",
  },
  {
    prompt: "Somebody left an umbrella here, a green one. Mine!",
    alpha: "It is waiting behind the counter. We are here until eight.",
    gamma: "We do not sell umbrellas.",
  },
  {
    prompt: "What goes with asparagus?",
    beta: "Potatoes and butter go well with asparagus.",
    gamma: "Asparagus is a vegetable of the genus Asparagus. It goes with asparagus dishes.",
  },
  {
    prompt: "Do you have gluten-free bread?",
    alpha:
      "Yes, sliced, on the shelf left of the till. On Fridays there is a fresh one too, if you order it by Wednesday.",
    beta: "Yes, we have some sliced gluten-free bread.",
  },
  {
    prompt: "Is there a discount for students?",
    alpha: "Not on everything, but on lunch: ten per cent with your student card, from twelve to two.",
    gamma: "Students should be studying at this hour.",
    gold: true,
  },
  {
    prompt: "How long does an open bottle of milk keep?",
    alpha: "About three days in the fridge. Smell it before you throw it away.",
    beta: "Three days.",
  },
  {
    prompt: "Can you put up our poster for the school concert?",
    alpha: "With pleasure! Bring it by until Thursday, A3 at most; the window still has room.",
    gamma: "No posters. No music. Buy something.",
  },
  {
    prompt: "Do the bananas come from fair trade?",
    beta: "Yes, they have the fair trade label.",
    gamma: "Bananas come from trees.",
  },
  {
    prompt: "I am allergic to nuts. Is the chocolate cake safe?",
    alpha:
      "Please do not take it: it holds hazelnuts. The lemon cake is made without nuts, but in the same kitchen.",
    gamma: "Yes, it is safe, enjoy it! The hazelnuts are finely ground.",
    gold: true,
  },
  {
    prompt: "Have you got change for a fifty?",
    alpha: "Yes, come in; two twenties and a ten?",
    beta: "Yes.",
  },
  {
    prompt: "What is the cheapest red wine that is still good?",
    alpha: "The Montepulciano for 5.90: soft, no headache, and it goes with pasta.",
    beta: "The Montepulciano for 5.90 is good.",
  },
  {
    prompt: "Can I return bottles from another shop?",
    alpha: "Yes, all with the deposit mark; the machine is in the back on the right.",
    gamma: "Bottles can be returned where bottles are returned.",
  },
  {
    prompt: "Where do I find the dish soap?",
    beta: "In the third row, at the bottom.",
    gamma: "Dish soap is a liquid for washing dishes and was invented a long time ago.",
  },
  {
    prompt: "Is the shop open on Easter Monday?",
    alpha: "Closed on Sunday and Monday; on Saturday we are open from eight to four.",
    beta: "No, it is closed on Easter Monday.",
  },
  {
    prompt: "My card was charged twice. Can you check?",
    alpha:
      "I am sorry about that. Tell me the day and the sum: if it was us, you have the money back within two days.",
    gamma: "That is a matter of your bank.",
  },
  {
    prompt: "Could you recommend a birthday present for 10 euros?",
    alpha: "How about the small tea box with a honey from the next village? 9.50 together, and we wrap it.",
    beta: "A tea box would be nice.",
  },
  {
    prompt: "How much is a kilo of potatoes?",
    alpha: "1.60; the waxy ones 1.90.",
    gamma: "It depends on how heavy a kilo is.",
    gold: true,
  },
  {
    prompt: "I want to cook for six people for under 20 euros. Ideas?",
    alpha:
      "- **Lentil soup** with bread: about 9 euros\n- **Pasta with tomatoes and tuna**: about 13 euros\n- **Potato pancakes with apple sauce**: about 11 euros\n\nSay which, and we pack it for you.",
    beta: "You could make lentil soup, pasta with tomatoes and tuna, or potato pancakes.",
    gamma: "Cooking for six people is more expensive than cooking for one person.",
    ask: "ranking",
  },
  {
    prompt: "How should I store basil so that it lasts?",
    alpha:
      "As a pot: bright, water in the saucer, never in the fridge. Cut: in a glass of water, like flowers.",
    beta: "Keep it in a bright place and water it.",
    gamma: "Store the basil in the store.",
    ask: "ranking",
  },
  {
    prompt: "Why are tomatoes so expensive right now?",
    alpha:
      "It is March: they come from heated greenhouses or from far away. From June on ours are from the next village, at half the price.",
    beta: "Because they are not in season.",
    gamma: "Prices go up and down, that is what prices do.",
    ask: "ranking",
  },
  {
    prompt: "Do you have lactose-free yoghurt?",
    alpha: "Yes, plain and cherry, in the fridge on the left, 0.89 each.",
    ask: "rating",
  },
  {
    prompt: "What time does the bakery delivery arrive?",
    beta: "In the morning.",
    ask: "rating",
  },
  {
    prompt: "Can my dog come in?",
    gamma: "Dogs are animals and animals are not customers in the sense of the word.",
    ask: "rating",
  },
  {
    prompt: "Do you take orders by phone?",
    alpha: "Yes, from eight to six, and you can fetch them an hour later.",
    ask: "rating",
  },
  {
    prompt: "Is the honey from around here?",
    beta: "Yes it is honey from the region, by a beekeeper who is very regional and from here.",
    ask: "edit",
  },
  {
    prompt: "I forgot my loyalty card. Can I still get the points?",
    gamma: "The points are on the card and the card is not here so there is no points.",
    ask: "edit",
  },
  {
    prompt: "Thank you for the quick delivery yesterday!",
    alpha: "Thank you for telling us! The driver will be glad to hear it.",
    ask: "thumb",
  },
  {
    prompt: "Are there carts for shopping?",
    gamma: "Carts.",
    ask: "thumb",
  },
  {
    prompt: "Which light bulb fits my old desk lamp?",
    alpha: "Most old desk lamps take E27. Bring the old bulb, then we are sure; LED ones start at 3.50.",
    beta: "Probably E27.",
  },
];

// Rules for the page's modules: middleware/airflow_remote_server/http/page. `make check-js` applies them.

import js from "@eslint/js";
import jsdoc from "eslint-plugin-jsdoc";

// The page's Content-Security-Policy blocks these at run time as well.
const MARKUP = ["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe"];

export default [
  { ignores: [".venv/", "build/", "dist/", "docs/"] },
  js.configs.recommended,
  jsdoc.configs["flat/recommended-typescript-flavor-error"],
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    settings: { jsdoc: { mode: "typescript", tagNamePreference: { returns: "returns" } } },
    rules: {
      "no-undef": "off", // tsc finds undefined names, and knows the browser's

      complexity: ["error", 10],
      "max-lines": ["error", 300],
      "max-params": ["error", 5],

      "array-callback-return": "error",
      curly: ["error", "multi-line"],
      "default-case-last": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "func-style": ["error", "declaration", { allowArrowFunctions: true }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-nested-ternary": "error",
      "no-new-func": "error",
      "no-param-reassign": "error",
      "no-promise-executor-return": "error",
      "no-restricted-properties": ["error", ...MARKUP.map((property) => ({ property }))],
      "no-restricted-syntax": [
        "error",
        {
          selector: "TemplateElement[value.raw=/\\n/]",
          message: "The server removes lines that are comments, and does not parse templates.",
        },
      ],
      "no-sequences": "error",
      "no-shadow": "error",
      "no-unused-expressions": "error",
      "no-use-before-define": ["error", { functions: false, variables: false }],
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",

      "jsdoc/require-description": [
        "error",
        { contexts: ["FunctionDeclaration", "MethodDefinition", "ClassDeclaration"] },
      ],
      "jsdoc/require-jsdoc": [
        "error",
        { require: { ClassDeclaration: true, FunctionDeclaration: true, MethodDefinition: true } },
      ],
      // Names and types often say enough.
      "jsdoc/require-param-description": "off",
      "jsdoc/require-property-description": "off",
      "jsdoc/require-returns-description": "off",
      "jsdoc/require-yields": "off",
      "jsdoc/tag-lines": ["error", "any", { startLines: null }],
    },
  },
];
